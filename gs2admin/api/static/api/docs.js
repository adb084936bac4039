// Shows our OpenAPI document. No validatorUrl: nothing is asked of other hosts.
(function () {
  "use strict";
  var place = document.getElementById("docs");
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function paint() { document.documentElement.classList.toggle("dark-mode", dark.matches); }
  dark.addEventListener("change", paint);
  paint();
  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    presets: [window.SwaggerUIBundle.presets.apis],
    validatorUrl: null,
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: false
  });
})();
