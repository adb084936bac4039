// Live parts. One poller per page: an element with data-live (address), data-after (cursor), optionally
// data-seq (last line of output) and data-every (milliseconds). It polls only while the tab is visible.
// With data-pause the server may hold a request until something is new: it is asked again so many milliseconds
// after news, and at once when it held the last one; data-every is for a server that answered at once.
//   200: swap what is new (htmx does the out-of-band parts)   204: nothing new   286: the end
//   401: go to the address in HX-Redirect   anything else: show a note, and poll more and more slowly
(function () {
  "use strict";
  var SLOWEST = 15000, TIMEOUT = 8000, TIMEOUT_HELD = 30000, KEEP_LINES = 4000;
  var failures = 0, timer = null, asking = null, stopped = false, said = null;

  function poller() { return document.querySelector("[data-live]"); }

  function address(el) {
    var url = new URL(el.dataset.live, location.href);
    url.searchParams.set("after", el.dataset.after);
    if (el.dataset.seq !== undefined) url.searchParams.set("seq", el.dataset.seq);
    if (el.dataset.pause !== undefined) url.searchParams.set("wait", "1");
    return url;
  }

  function lost(text) {
    var place = document.querySelector("#connection-lost .gs-alert");
    if (!place) return;
    place.hidden = !text;
    var words = place.querySelector("div");
    if (words.textContent !== text) words.textContent = text;
  }

  function badge(on) {
    var el = document.getElementById("live-badge");
    if (el) el.hidden = !on;
    if (!on && follow) follow.closest("label").hidden = true;
  }

  function later(ms) {
    window.clearTimeout(timer);
    if (!stopped && document.visibilityState === "visible") timer = window.setTimeout(ask, ms);
  }

  // --- a swap keeps open folds open, keeps the focus, and keeps the end of the output in view while following ---
  var log = document.getElementById("log"), follow = document.getElementById("follow");
  function atEnd() { return log.scrollHeight - log.scrollTop - log.clientHeight < 40; }
  function toEnd() { log.scrollTop = log.scrollHeight; }
  function trim() {
    var lines = document.getElementById("lines");
    if (!lines || !follow || !follow.checked) return;
    var extra = lines.childElementCount - KEEP_LINES;
    for (; extra > 0; extra--) lines.firstElementChild.remove();
  }
  function swap(el, html) {
    var open = Array.from(document.querySelectorAll("details[open][id]"), function (d) { return d.id; });
    var focused = document.activeElement && document.activeElement.id;
    var had = document.activeElement;
    window.htmx.swap(el, html, { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 }, {});
    open.forEach(function (id) {
      var d = document.getElementById(id);
      if (d) d.open = true;
    });
    if (focused && had !== document.activeElement) {
      var again = document.getElementById(focused);
      if (again) again.focus({ preventScroll: true });
    }
    var none = document.getElementById("no-lines"), lines = document.getElementById("lines");
    if (none && lines && lines.childElementCount) none.remove();
    if (window.gsTimes) window.gsTimes(document);
    if (log && follow && follow.checked) {
      trim();
      toEnd();
    }
    var now = poller();
    if (now && now.dataset.say && now.dataset.say !== said) {
      said = now.dataset.say;
      var say = document.getElementById("say");
      if (say) say.textContent = said;
    }
  }

  function ask() {
    var el = poller();
    if (!el || asking || stopped || document.visibilityState !== "visible") return;
    var every = Number(el.dataset.every) || 1000, began = Date.now();
    var abort = asking = new AbortController();
    var limit = window.setTimeout(function () { abort.abort(); }, el.dataset.pause !== undefined ? TIMEOUT_HELD : TIMEOUT);
    fetch(address(el), {
      headers: { "HX-Request": "true", "HX-Current-URL": location.href }, credentials: "same-origin",
      cache: "no-store", signal: abort.signal,
    }).then(function (answer) {
      if (answer.status === 401) {
        stopped = true;
        location.assign(answer.headers.get("HX-Redirect") || "/login");
        return null;
      }
      if (answer.status === 404 || answer.status === 403) {
        stopped = true;
        badge(false);
        lost("You can no longer see this. Reload the page to find out why.");
        return null;
      }
      if (answer.status === 204) return "";
      if (answer.status === 200 || answer.status === 286) {
        return answer.text().then(function (html) {
          var from = poller();
          if (from) swap(from, html);
          if (answer.status === 286) {
            stopped = true;
            badge(false);
            var end = poller();
            if (end) end.removeAttribute("data-live");
          }
          return html;
        });
      }
      throw new Error("status " + answer.status);
    }).then(function (html) {
      if (html === null) return;
      if (failures) lost("");
      failures = 0;
      var now = html ? poller() : null;
      if (!now || now.dataset.every === undefined) later(Math.max(0, every - (Date.now() - began)));
      else later(Number(now.dataset.pause !== undefined ? now.dataset.pause : now.dataset.every));
    }).catch(function () {
      if (asking !== abort) return;
      failures += 1;
      if (failures > 1) lost("The connection was lost, retrying. What you see may be old.");
      later(Math.min(SLOWEST, 1000 * Math.pow(2, Math.min(failures, 4)) * (0.75 + Math.random() / 2)));
    }).finally(function () {
      window.clearTimeout(limit);
      if (asking === abort) asking = null;
    });
  }

  function giveUp() {
    var abort = asking;
    asking = null;
    if (abort) abort.abort();
  }

  // A part of a page could not be loaded: its title links to a page of its own.
  ["htmx:responseError", "htmx:sendError", "htmx:timeout"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      var wait = event.target.querySelector && event.target.querySelector(".gs-part__wait");
      if (wait) wait.textContent = "It could not be loaded; the title opens it.";
    });
  });

  document.addEventListener("visibilitychange", function () {
    window.clearTimeout(timer);
    giveUp();
    if (document.visibilityState === "visible") ask();
  });
  window.addEventListener("online", ask);
  window.addEventListener("offline", function () { if (asking) asking.abort(); });

  if (log && follow) {
    follow.closest("label").hidden = false;
    log.addEventListener("scroll", function () { follow.checked = atEnd(); }, { passive: true });
    follow.addEventListener("change", function () { if (follow.checked) toEnd(); });
    toEnd();
  }
  var first = poller();
  if (first) later(Number(first.dataset.pause || first.dataset.every) || 0);
})();
