// The page of somebody who waits, live: the server says that something changed, and what stands in #state is fetched
// anew, so that the focus stays where it is. Without this script the page comes again by itself.
"use strict";
(() => {
  const eachMs = 15000;
  let timer;

  function look() {
    const request = new XMLHttpRequest(); // parses into a document without scripts, and needs no trusted HTML
    request.open("GET", location.pathname);
    request.responseType = "document";
    request.onload = () => {
      const now = document.getElementById("state");
      const then = request.response?.getElementById("state");
      if (then === null || then === undefined) {
        location.reload(); // it is over
        return;
      }
      if (now === null || (now.dataset.place === then.dataset.place && now.textContent === then.textContent))
        return;
      now.replaceChildren(...[...then.childNodes].map((n) => document.importNode(n, true)));
      now.dataset.place = then.dataset.place;
      now.dataset.by = then.dataset.by;
      document.title = request.response.title;
    };
    request.send();
  }

  const line = new EventSource(document.body.dataset.live);
  line.onmessage = ({ data }) => {
    if (data === "over") {
      // Another window of this page listens now, and would be sent away in its turn if we came back; or it is over.
      line.close();
      timer ??= setInterval(look, eachMs);
    }
    look();
  };
  line.onopen = () => {
    clearInterval(timer);
    timer = undefined;
    look();
  };
  line.onerror = () => {
    timer ??= setInterval(look, eachMs); // until the line stands again, if it ever does
  };
})();
