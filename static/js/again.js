// Run all: each POST runs jobs for about a second and a half, and this sends the next one. Without script there is a button.
(function () {
  "use strict";
  var form = document.querySelector("form[data-again]");
  if (!form) return;
  var stop = form.querySelector("a.btn");
  var timer = window.setTimeout(function () { form.requestSubmit(); }, 150);
  if (stop) stop.addEventListener("click", function () { window.clearTimeout(timer); });
})();
