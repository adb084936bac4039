// Run all: each lap is one POST of about a second and a half; this sends the next one. Without it there is the button.
(function () {
  "use strict";
  var form = document.querySelector("form[data-again]");
  if (!form) return;
  var stop = form.querySelector("a.btn");
  var timer = window.setTimeout(function () { form.requestSubmit(); }, 150);
  if (stop) stop.addEventListener("click", function () { window.clearTimeout(timer); });
})();
