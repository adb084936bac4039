// Keyboard shortcuts of every page; templates/components/_shortcuts.html lists them. Whoever dictates or leans on keys turns them off.
(function () {
  "use strict";

  var dialog = document.getElementById("shortcuts");
  var choice = document.getElementById("shortcuts-on");
  var KEEP = "gs2admin.shortcuts";
  // So long after `g` the next key chooses a page. ms
  var SECOND_KEY_MS = 1500;
  var went = 0;

  function on() {
    try { return window.localStorage.getItem(KEEP) !== "off"; } catch (error) { return true; }
  }
  window.gsShortcuts = on;
  function keep(value) {
    try { window.localStorage.setItem(KEEP, value ? "on" : "off"); } catch (error) { /* this page only */ }
  }
  function open() {
    if (dialog.open) return;
    choice.checked = on();
    dialog.showModal();
  }

  // The first link of each row of the lists, in the order of the page; those of folded parts are not there.
  function rows() {
    var found = document.querySelectorAll("main tbody tr, main .gs-rows > li, main .gs-attention li");
    return Array.prototype.map.call(found, function (row) { return row.querySelector("a[href], summary"); })
      .filter(function (link) { return link && link.getClientRects().length; });
  }
  function move(by) {
    var links = rows();
    if (!links.length) return;
    var row = document.activeElement.closest("tr, li");
    var here = links.findIndex(function (link) { return row && row.contains(link); });
    var next = here < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, here + by));
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
  }

  document.querySelectorAll("[data-shortcuts]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", open);
  });
  choice.addEventListener("change", function () { keep(choice.checked); });

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented || dialog.open) return;
    if (event.target.closest("input, textarea, select, [contenteditable], [role=log]") || !on()) return;
    var second = Date.now() - went < SECOND_KEY_MS;
    went = 0;
    if (second) {
      var page = document.querySelector('.gs-nav__item[data-key="' + window.CSS.escape(event.key) + '"]');
      if (!page) return;
      event.preventDefault();
      page.click();
    } else if (event.key === "g") {
      went = Date.now();
    } else if (event.key === "?") {
      event.preventDefault();
      open();
    } else if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      move(event.key === "j" ? 1 : -1);
    } else if (event.key === "r" && !event.repeat) {
      window.location.reload();
    }
  });
})();
