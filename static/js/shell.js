// For every page: relative times that are kept up to date, menus that close, forms that are sent once.
// The pages work without it: then times show UTC on hover, and menus are plain <details>.
(function () {
  "use strict";

  // --- times: relative text, absolute time in the viewer's own zone on hover ---
  var absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  var clock = new Intl.DateTimeFormat(undefined, {
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
  });
  var seconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  var day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  var dayYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

  function relative(then, now) {
    var s = Math.round((now - then) / 1000);
    if (s < 0) return s > -60 ? "now" : absolute.format(then);
    if (s < 5) return "just now";
    if (s < 60) return s + " s ago";
    if (s < 3600) return Math.floor(s / 60) + " min ago";
    if (s < 86400) return Math.floor(s / 3600) + " h ago";
    if (s < 86400 * 7) return Math.floor(s / 86400) + (s < 172800 ? " day ago" : " days ago");
    return (new Date(then).getFullYear() === new Date(now).getFullYear() ? day : dayYear).format(then);
  }
  function span(ms) {
    var s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
    return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  }
  function set(el, text) {
    if (el.textContent !== text) el.textContent = text;
  }
  function times(root) {
    var now = Date.now();
    root.querySelectorAll("time[data-when]").forEach(function (el) {
      var then = Date.parse(el.dateTime);
      if (isNaN(then)) return;
      if (!el.dataset.zoned) {
        el.title = absolute.format(then);
        el.dataset.zoned = "1";
      }
      set(el, relative(then, now));
    });
    root.querySelectorAll("time[data-since]").forEach(function (el) {
      var then = Date.parse(el.dateTime);
      if (!isNaN(then)) set(el, span(now - then));
    });
    // The time left was right when the page was sent. The viewer's clock may be wrong, so only the time since then counts.
    root.querySelectorAll("[data-left]").forEach(function (el) {
      if (el.leftSince === undefined) el.leftSince = now;
      var rest = Number(el.dataset.left) * 1000 - (now - el.leftSince);
      if (el.localName === "progress") el.value = Math.max(0, rest / 1000);
      else set(el, rest > 0 ? span(rest) : "expired");
    });
    root.querySelectorAll("time[data-full]:not([data-zoned])").forEach(function (el) {
      var then = Date.parse(el.dateTime);
      if (isNaN(then)) return;
      set(el, absolute.format(then));
      el.dataset.zoned = "1";
    });
    root.querySelectorAll("time[data-clock]:not([data-zoned])").forEach(function (el) {
      var then = Date.parse(el.dateTime);
      if (isNaN(then)) return;
      el.textContent = (el.dataset.clock === "s" ? seconds : clock).format(then);
      el.title = absolute.format(then);
      el.dataset.zoned = "1";
    });
  }
  window.gsTimes = times;
  times(document);
  window.setInterval(function () {
    if (document.visibilityState === "visible") times(document);
  }, 1000);
  document.addEventListener("htmx:afterSwap", function () { times(document); });

  // --- theme: without script the form posts; with script the page changes at once ---
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.matches("form[data-theme-form]") || !window.gsTheme) return;
    event.preventDefault();
    var dark = document.documentElement.dataset.bsTheme === "dark";
    var choice = dark ? "light" : "dark";
    // The choice is the system's own theme: follow the system again.
    if (window.matchMedia("(prefers-color-scheme: dark)").matches === (choice === "dark")) choice = "auto";
    window.gsTheme.set(choice);
    document.cookie = "theme=" + choice + ";path=/;max-age=31536000;samesite=lax" +
      (location.protocol === "https:" ? ";secure" : "");
  });

  // --- menus: one open at a time; Escape and a click outside close them ---
  function closeMenus(except) {
    document.querySelectorAll("details[data-menu][open]").forEach(function (el) {
      if (el !== except) el.open = false;
    });
  }
  document.addEventListener("click", function (event) {
    closeMenus(event.target.closest("details[data-menu]"));
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    var open = document.querySelector("details[data-menu][open]");
    if (!open) return;
    var inside = open.contains(document.activeElement);
    closeMenus(null);
    if (inside) open.querySelector("summary").focus();
  });

  // --- narrow screens: the links to pages are one row that scrolls; scroll to the current page ---
  var here = document.querySelector(".gs-nav__pages .is-active");
  if (here) {
    var row = here.parentElement.getBoundingClientRect(), item = here.getBoundingClientRect();
    here.parentElement.scrollLeft += item.left + item.width / 2 - row.left - row.width / 2;
  }

  // --- search: "/" focuses it, Escape leaves it ---
  var search = document.getElementById("search");
  if (search) {
    document.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && event.target === search) search.blur();
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (window.gsShortcuts && !window.gsShortcuts()) return;
      if (event.target.closest("input, textarea, select, [contenteditable]")) return;
      event.preventDefault();
      search.focus();
      search.select();
    });
  }

  // --- a form is sent once, and its button shows that it is busy; the server accepts it once anyway ---
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.matches("form[data-once]")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    var button = event.submitter || form.querySelector("button[type=submit]");
    if (button) {
      button.setAttribute("aria-disabled", "true");
      button.classList.add("is-busy");
    }
  });
  // The page comes back from the browser's cache: its forms can be sent again.
  window.addEventListener("pageshow", function (event) {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach(function (form) {
      delete form.dataset.sent;
      form.querySelectorAll(".is-busy").forEach(function (el) {
        el.classList.remove("is-busy");
        el.removeAttribute("aria-disabled");
      });
    });
  });

  // --- copy buttons ---
  // The text as it is stored: marks become again what they stand for.
  function stored(source) {
    if (!source.querySelector(".gs-unseen")) return source.textContent;
    var copy = source.cloneNode(true);
    copy.querySelectorAll(".gs-unseen").forEach(function (el) {
      el.textContent = String.fromCodePoint(parseInt(el.dataset.char, 16));
    });
    return copy.textContent;
  }
  // Without a secure connection a browser has no clipboard object; what is copied there is set while it copies.
  function write(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    function set(event) {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
      event.stopImmediatePropagation();
    }
    document.addEventListener("copy", set, true);
    var done = document.execCommand("copy");
    document.removeEventListener("copy", set, true);
    return done ? Promise.resolve() : Promise.reject(new Error("nothing was copied"));
  }
  // The bytes as they are stored, also where the page shows them as they are read, or only their beginning.
  function fetched(address) {
    return fetch(address, { credentials: "same-origin", cache: "no-store" }).then(function (answer) {
      if (!answer.ok || answer.redirected) throw new Error("status " + answer.status);
      return answer.arrayBuffer();
    }).then(function (bytes) {
      return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
    });
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button[data-copy], button[data-copy-from]");
    if (!button) return;
    var source = button.dataset.copy && document.getElementById(button.dataset.copy);
    var text = source ? Promise.resolve(source.value || stored(source).trim()) : fetched(button.dataset.copyFrom);
    var label = button.querySelector("span") || button;
    var before = button.dataset.label || (button.dataset.label = label.textContent);
    function say(words) {
      label.textContent = words;
      window.setTimeout(function () { label.textContent = before; }, 1500);
    }
    text.then(write).then(function () { say("Copied"); }, function () { say("Could not be copied"); });
  });
})();
