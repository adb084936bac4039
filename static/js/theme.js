// Runs in <head>, before the first paint: without a chosen theme, the page gets the system's theme without a flash.
// A chosen theme is set by the server already (cookie "theme").
(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    var choice = root.dataset.themeChoice;
    root.dataset.bsTheme = choice === "light" || choice === "dark" ? choice : dark.matches ? "dark" : "light";
  }
  apply();
  root.classList.add("has-script");
  dark.addEventListener("change", apply);
  window.gsTheme = {
    set: function (choice) {
      root.dataset.themeChoice = choice;
      apply();
    },
  };
})();
