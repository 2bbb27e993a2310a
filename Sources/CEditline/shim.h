// libedit's wide-character interface. Its setters take varargs, which Swift cannot call: each use has a typed function.
#ifndef MUXSH_CEDITLINE_SHIM_H
#define MUXSH_CEDITLINE_SHIM_H

#define HAVE_WCSDUP 1
#include <stdio.h>
#include <wchar.h>
#include <histedit.h>

typedef wchar_t *(*c_prompt_function)(EditLine *);
typedef unsigned char (*c_command_function)(EditLine *, wint_t);

static inline FILE *c_standard_input(void) { return stdin; }

// wcwidth(3), which needs _XOPEN_SOURCE.
extern int wcwidth(wchar_t character);
static inline int c_character_width(wchar_t character) { return wcwidth(character); }

static inline int c_el_set_client(EditLine *editor, void *client) { return el_wset(editor, EL_CLIENTDATA, client); }
static inline void *c_el_client(EditLine *editor) {
    void *client = NULL;
    return el_wget(editor, EL_CLIENTDATA, &client) == 0 ? client : NULL;
}
static inline int c_el_set_getc(EditLine *editor, el_rfunc_t function) { return el_wset(editor, EL_GETCFN, function); }
static inline int c_el_set_prompt(EditLine *editor, c_prompt_function function) {
    return el_wset(editor, EL_PROMPT, function);
}
static inline int c_el_set_capability(EditLine *editor, const wchar_t *name, const wchar_t *value) {
    return el_wset(editor, EL_SETTC, name, value, NULL);
}
static inline int c_el_set_editing(EditLine *editor, int flag) { return el_wset(editor, EL_EDITMODE, flag); }
static inline int c_el_set_signal(EditLine *editor, int flag) { return el_wset(editor, EL_SIGNAL, flag); }
static inline int c_el_set_editor(EditLine *editor, const wchar_t *name) { return el_wset(editor, EL_EDITOR, name); }
static inline const wchar_t *c_el_editor(EditLine *editor) {
    const wchar_t *name = NULL;
    return el_wget(editor, EL_EDITOR, &name) == 0 ? name : NULL;
}
static inline int c_history_clear(HistoryW *history) {
    HistEventW event;
    return history_w(history, &event, H_CLEAR);
}
static inline int c_el_set_history(EditLine *editor, HistoryW *history) {
    return el_wset(editor, EL_HIST, history_w, history);
}
static inline int c_el_add_function(EditLine *editor, const wchar_t *name, const wchar_t *help,
                                    c_command_function function) {
    return el_wset(editor, EL_ADDFN, name, help, function);
}
static inline int c_el_bind(EditLine *editor, const wchar_t *key, const wchar_t *command) {
    return el_wset(editor, EL_BIND, key, command, NULL);
}
static inline int c_el_bind_alternative(EditLine *editor, const wchar_t *key, const wchar_t *command) {
    return el_wset(editor, EL_BIND, L"-a", key, command, NULL);
}
static inline int c_el_set_input(EditLine *editor, FILE *file) { return el_wset(editor, EL_SETFP, 0, file); }
static inline int c_el_set_tty(EditLine *editor, const wchar_t *mode) {
    return el_wset(editor, EL_SETTY, L"-d", mode, NULL);
}
static inline int c_el_prepare_terminal(EditLine *editor, int flag) { return el_wset(editor, EL_PREP_TERM, flag); }

static inline int c_history_set_size(HistoryW *history, int size) {
    HistEventW event;
    return history_w(history, &event, H_SETSIZE, size);
}
static inline int c_history_set_unique(HistoryW *history, int flag) {
    HistEventW event;
    return history_w(history, &event, H_SETUNIQUE, flag);
}
static inline int c_history_enter(HistoryW *history, const wchar_t *line) {
    HistEventW event;
    return history_w(history, &event, H_ENTER, line);
}

#endif
