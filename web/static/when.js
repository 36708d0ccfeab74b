// The page of an appointment says its time by the clock of whoever reads it. Without this script it is said by the
// help desk's, with its time zone.
"use strict";
(() => {
  const place = document.getElementById("when");
  const [time, zone, here] = place?.children ?? [];
  if (here === undefined) return;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (timeZone === undefined || zone.textContent.includes(timeZone)) return; // it is theirs already
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone,
  });
  here.querySelector("b").textContent = timeZone.replaceAll("_", " ");
  time.textContent = format.formatRange(new Date(place.dataset.from), new Date(place.dataset.to));
  zone.hidden = true;
  here.hidden = false;
})();
