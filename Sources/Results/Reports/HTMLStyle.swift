/// The style sheet and the script of the HTML report.
enum HTMLStyle {
    static let sheet = """

        :root { color-scheme: light dark; --fg: #1b1f24; --bg: #fff; --soft: #57606a; --edge: #d0d7de; --row: #f3f5f7;
          --good: #116329; --bad: #b3261e; --badrow: #ffe9e6; --skip: #7a5200; --sent: #0550ae; --got: #8250df; }
        @media (prefers-color-scheme: dark) {
          :root { --fg: #e6edf3; --bg: #0d1117; --soft: #9da7b1; --edge: #3d444d; --row: #161b22;
            --good: #56d364; --bad: #ff7b72; --badrow: #3c1618; --skip: #e3b341; --sent: #79c0ff; --got: #d2a8ff; }
        }
        body { margin: 1rem auto; max-width: 70rem; padding: 0 1rem; color: var(--fg); background: var(--bg);
          font: 15px/1.5 system-ui, sans-serif; }
        h1 { margin: 0; text-transform: capitalize; }
        a { color: var(--sent); }
        h1.passed, b.passed, tr.passed td:first-child { color: var(--good); }
        h1.failed, b.failed, tr.failed td:first-child { color: var(--bad); }
        h1.skipped, b.skipped, tr.skipped td:first-child { color: var(--skip); }
        table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
        th, td { text-align: left; padding: .2rem .6rem; border-bottom: 1px solid var(--edge);
          overflow-wrap: anywhere; }
        td:last-child { white-space: nowrap; }
        details.part { border: 1px solid var(--edge); border-radius: 6px; margin: .6rem 0; padding: .4rem .8rem; }
        details.failed { border-color: var(--bad); }
        summary { cursor: pointer; overflow-wrap: anywhere; }
        small, nav p { color: var(--soft); }
        nav p, nav ul { display: inline; padding: 0; }
        nav li { display: inline; margin-left: .8rem; }
        pre { background: var(--row); padding: .6rem; overflow-x: auto; font: 13px/1.4 ui-monospace, monospace; }
        figure { margin: .4rem 0; overflow-x: auto; }
        button { font: inherit; margin-right: .5rem; }
        svg { font: 13px ui-monospace, monospace; }
        svg text { fill: var(--fg); white-space: pre; }
        svg text.time, svg text.line, svg text.gap, svg .life text, svg .print text { fill: var(--soft); }
        svg text.line { text-anchor: end; }
        svg text.name { text-anchor: middle; font-weight: bold; }
        svg path, svg circle { fill: none; stroke: var(--soft); stroke-width: 1.4; }
        svg path.lane { stroke: var(--edge); stroke-dasharray: 3 3; }
        svg .sent path { stroke: var(--sent); }
        svg .got path { stroke: var(--got); }
        svg .end path { stroke-dasharray: 5 4; }
        svg rect { fill: transparent; }
        svg g:hover rect, svg g:focus rect { fill: var(--row); }
        svg g.bad rect { fill: var(--badrow); }
        svg .fail text { fill: var(--bad); font-weight: bold; }
        svg text.hex { visibility: hidden; fill: var(--soft); font-size: 11px; }
        svg g:hover text.hex, svg g:focus text.hex { visibility: visible; }
        svg g:focus { outline: 2px solid var(--sent); }
        @media print { details::details-content { content-visibility: visible; } button { display: none; } }

        """

    static let script = """

        (function () {
          'use strict';
          var all = function () { return Array.from(document.querySelectorAll('details')); };
          var show = function (element) {
            if (!element) return;
            for (var at = element; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
            element.scrollIntoView({ block: 'center' });
            if (element.focus) element.focus({ preventScroll: true });
          };
          var target = function () { return document.getElementById(decodeURIComponent(location.hash.slice(1))); };
          var failures = function () { return Array.from(document.querySelectorAll('[id^=failure]')); };
          var move = function (step) {
            var list = failures();
            if (list.length) show(list[(list.indexOf(document.activeElement) + step + list.length) % list.length]);
          };
          var bar = document.createElement('p');
          var button = function (label, action) {
            var made = document.createElement('button');
            made.textContent = label;
            made.addEventListener('click', action);
            bar.appendChild(made);
          };
          button('Unfold all', function () { all().forEach(function (each) { each.open = true; }); });
          button('Fold all', function () { all().forEach(function (each) { each.open = false; }); });
          if (failures().length) button('Next failure (n)', function () { move(1); });
          document.querySelector('header').appendChild(bar);
          document.addEventListener('keydown', function (event) {
            if (event.ctrlKey || event.altKey || event.metaKey) return;
            if (event.key === 'n') move(1);
            if (event.key === 'p') move(-1);
          });
          addEventListener('hashchange', function () { show(target()); });
          addEventListener('beforeprint', function () { all().forEach(function (each) { each.open = true; }); });
          show(location.hash ? target() : failures()[0]);
        })();

        """
}
