"use strict";
// Replaces figures and charts by those of /console/live. Pages are whole without it.
(() => {
  if (!("live" in document.body.dataset)) return;
  const say = document.getElementById("say");
  let said = 0;

  const byName = (attribute, name) => document.querySelector(`[data-${attribute}="${CSS.escape(name)}"]`);

  const replaceChart = (place, text) => {
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    if (parsed.localName !== "svg") return;
    // The chart is HTML's inline SVG, whose names have a namespace that its text leaves out.
    const copy = (node) => {
      if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
      const made = document.createElementNS("http://www.w3.org/2000/svg", node.localName);
      for (const { name, value } of node.attributes) made.setAttribute(name, value);
      for (const child of node.childNodes) made.append(copy(child));
      return made;
    };
    place.replaceChildren(copy(parsed));
  };

  const isBusy = () => ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement?.tagName);

  const show = (message) => {
    const rows = [...document.querySelectorAll("[data-row]")].map((row) => row.dataset.row);
    const isQuotas = location.pathname === "/console/quotas";
    const names = Object.keys(message.meter);
    // A quota that is used for the first time has no row yet.
    if (isQuotas && !isBusy() && names.some((name) => !rows.includes(name))) {
      location.replace(location.pathname);
      return;
    }
    for (const [name, text] of Object.entries(message.text)) {
      const place = byName("text", name);
      if (place && place.textContent !== text) place.textContent = text;
    }
    for (const [name, [value, max]] of Object.entries(message.meter)) {
      const place = byName("meter", name);
      if (place) [place.max, place.value] = [max, value];
    }
    for (const [name, text] of Object.entries(message.chart)) {
      const place = byName("chart", name);
      if (place) replaceChart(place, text);
    }
    if (say && Date.now() - said >= 5000) {
      said = Date.now();
      say.textContent = message.say;
    }
  };

  const stream = new EventSource("/console/live");
  stream.onmessage = (event) => show(JSON.parse(event.data));
  addEventListener("pagehide", () => stream.close());
})();
