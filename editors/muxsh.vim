" Vim syntax file for muxsh scripts, made by scripts/manual.
if exists("b:current_syntax")
  finish
endif
syntax iskeyword @,48-57,_,-
syntax match muxshStart /^\s*/ nextgroup=muxshCommand,muxshTarget
syntax keyword muxshCommand contained accept barrier break bridge check close compare continue control defer define drain edit exit expect fail fault find for help history if interact join let list listen mute off on open parallel print quit record reopen repeat reserve retry run save select send serve set show signal skip sleep source spawn start starttls talk test time try tunnel unmute view wait while write
syntax keyword muxshKeyword after all and as branch bytes color connect connections corrupt cut cut-is-eof defined delay down duplicate else end eof eol every forever frame hang hex idle ignoring in inbox jitter line lines linger lose not nothing or pace pass pause prompt quiet rate refuse reorder reset resume screen slice status swallow timeout to until up within
syntax match muxshTarget contained /[A-Za-z_*?${}.,0-9-]\+\ze\(>|\|> \|>$\|<|\|<\~\|< \|<$\)/ nextgroup=muxshArrow
syntax match muxshArrow contained /[<>][|~]\?/ nextgroup=muxshText
syntax match muxshText contained /.*$/ contains=muxshVariable,muxshEscape
syntax region muxshString start=/"/ skip=/\\./ end=/"/ contains=muxshVariable,muxshEscape
syntax region muxshString start=/'/ end=/'/
syntax region muxshRegex start=/\(^\|\s\)\zs\/\S/ skip=/\\./ end=/\/[ims]*/ oneline contains=muxshVariable
syntax match muxshEscape contained /\\\(x\x\x\|u{\x\+}\|.\)/
syntax match muxshVariable /\${[^}]*}/ contains=muxshFunction
syntax match muxshFunction contained /:\zs\(base64\|base64url\|contains\|crc32\|csv\|first\|from-base64\|from-base64url\|from-gzip\|from-hex\|from-json\|from-u16\|from-u16le\|from-u24\|from-u24le\|from-u32\|from-u32le\|from-u64\|from-u64le\|from-u8\|from-url\|from-varint\|from-zlib\|gzip\|hex\|hmac-sha1\|hmac-sha256\|index\|json\|json-get\|last\|length\|line\|lines\|lower\|md5\|ms\|pad\|pbkdf2-sha256\|repeat\|replace\|reverse\|sha1\|sha256\|sha512\|slice\|trim\|u16\|u16le\|u24\|u24le\|u32\|u32le\|u64\|u64le\|u8\|upper\|url\|us\|varint\|xor\|zlib\)\ze[:(}]/
syntax match muxshOption /\s\zs--\?[a-z][a-z-]*/
syntax match muxshNumber /\<\(0x\x\+\|\d\+\(ms\|us\|s\|m\|h\|KiB\|MiB\|GiB\)\?\)\>/
syntax match muxshComment /\(^\|\s\)\zs#.*$/
highlight default link muxshCommand Statement
highlight default link muxshKeyword Keyword
highlight default link muxshTarget Identifier
highlight default link muxshArrow Operator
highlight default link muxshText String
highlight default link muxshString String
highlight default link muxshRegex Special
highlight default link muxshEscape SpecialChar
highlight default link muxshVariable PreProc
highlight default link muxshFunction Function
highlight default link muxshOption Type
highlight default link muxshNumber Number
highlight default link muxshComment Comment
let b:current_syntax = "muxsh"
