// The script editor: line numbers, colours, and indents on top of an ordinary textarea, which works without all this.
// Colours lie under the text: the textarea is transparent and scrolls with a <pre> behind it. Nothing is parsed as HTML
// and no style is set inline, so the strictest content policy holds.
(function () {
  "use strict";
  var COLOURED = 100000;
  var TOKEN = /--\[(=*)\[[\s\S]*?(?:\]\1\]|$)|--[^\n]*|\[(=*)\[[\s\S]*?(?:\]\2\]|$)|"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?|0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|[A-Za-z_]\w*/g;
  var KEYWORDS = new Set(("and break do else elseif end for function goto if in local not or repeat return then until " +
    "while true false nil").split(" "));
  var OURS = new Set("args result fail gs2 util transaction userId print".split(" "));

  function kind(token) {
    var first = token[0];
    if (token.startsWith("--")) return "c";
    if (first === '"' || first === "'" || first === "[") return "s";
    if (first >= "0" && first <= "9") return "n";
    if (KEYWORDS.has(token)) return "k";
    return OURS.has(token) ? "g" : "";
  }

  function coloured(text) {
    var out = document.createDocumentFragment(), at = 0, found;
    TOKEN.lastIndex = 0;
    while ((found = TOKEN.exec(text))) {
      var css = kind(found[0]);
      if (!css) continue;
      out.append(text.slice(at, found.index));
      var span = document.createElement("span");
      span.className = "lua-" + css;
      span.textContent = found[0];
      out.append(span);
      at = found.index + found[0].length;
    }
    out.append(text.slice(at) + "\n");
    return out;
  }

  function begin(box) {
    var area = box.querySelector("textarea");
    var gutter = document.createElement("pre"), behind = document.createElement("pre"), pane = document.createElement("div");
    gutter.className = "gs-editor__gutter";
    behind.className = "gs-editor__behind";
    pane.className = "gs-editor__pane";
    gutter.setAttribute("aria-hidden", "true");
    behind.setAttribute("aria-hidden", "true");
    area.before(gutter, pane);
    pane.append(behind, area);
    box.classList.add("is-on");
    var wrong = Number(box.dataset.line) || 0, lines = 0, waiting = false;

    function numbers() {
      var count = area.value.split("\n").length;
      if (count === lines) return;
      lines = count;
      var all = document.createDocumentFragment();
      for (var n = 1; n <= count; n++) {
        if (n === wrong) {
          var mark = document.createElement("b");
          mark.textContent = n;
          all.append(mark, "\n");
        } else {
          all.append(n + "\n");
        }
      }
      gutter.replaceChildren(all);
    }
    function follow() {
      behind.scrollTop = area.scrollTop;
      behind.scrollLeft = area.scrollLeft;
      gutter.scrollTop = area.scrollTop;
    }
    function draw() {
      waiting = false;
      numbers();
      var long = area.value.length > COLOURED;
      box.classList.toggle("is-plain", long);
      behind.replaceChildren(long ? "" : coloured(area.value));
      follow();
    }
    function soon() {
      if (!waiting) {
        waiting = true;
        window.requestAnimationFrame(draw);
      }
    }
    function insert(text) {
      // Through the browser's own editing, so that it can be undone.
      if (!document.execCommand("insertText", false, text)) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      soon();
    }
    var leaving = false;
    area.addEventListener("keydown", function (event) {
      if (event.key === "Escape") {
        leaving = true;
        return;
      }
      if (event.key === "Tab" && !event.shiftKey && !leaving && !event.ctrlKey && !event.altKey) {
        event.preventDefault();
        insert("  ");
      } else if (event.key === "Enter" && !event.isComposing && !event.ctrlKey && !event.metaKey) {
        var start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
        var indent = /^[ \t]*/.exec(area.value.slice(start, area.selectionStart))[0];
        if (indent) {
          event.preventDefault();
          insert("\n" + indent);
        }
      }
      leaving = false;
    });
    area.addEventListener("input", soon);
    area.addEventListener("scroll", follow, { passive: true });
    draw();
    if (wrong) area.scrollTop = behind.scrollTop = gutter.scrollTop = Math.max(0, (wrong - 4) * parseFloat(getComputedStyle(area).lineHeight));
    var hint = document.querySelector(".gs-editor-hint");
    if (hint) hint.hidden = false;
  }

  document.querySelectorAll("[data-lua-editor]").forEach(begin);
  var tried = document.getElementById("tried");
  if (tried) tried.scrollIntoView({ block: "nearest" });
})();
