// Called in the page by tests/browser; WCAG 2.2 says how contrast is computed.

function channels(colour) {
  const found = colour.match(/[\d.]+/g).map(Number);
  return found.length === 3 ? [...found, 1] : found;
}

function over(top, bottom) {
  const a = top[3];
  return [0, 1, 2].map((i) => a * top[i] + (1 - a) * bottom[i]).concat(1);
}

function background(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    layers.push(channels(getComputedStyle(e).backgroundColor));
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
}

function luminance(colour) {
  const [r, g, b] = colour.slice(0, 3).map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ratio(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

// The contrast of every text in the page, and its size in pixels.
function contrasts() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    if (!text) continue;
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    const behind = background(element);
    const colour = over(channels(style.color), behind);
    found.push({
      text: text.slice(0, 60),
      ratio: ratio(colour, behind),
      pixels: parseFloat(style.fontSize),
    });
  }
  return found;
}

// What makes the page wider than the screen, outside areas that scroll themselves.
function sideways() {
  const width = document.documentElement.clientWidth;
  const beyond = [...document.body.querySelectorAll("*")].filter((e) => {
    const held = e.parentElement.closest(".scroll");
    return !held && e.getBoundingClientRect().right > width + 1;
  });
  return {
    page: document.documentElement.scrollWidth - width,
    beyond: beyond.map((e) => e.outerHTML.slice(0, 80)),
  };
}

// Areas that hold more than they show, and whether a keyboard reaches them.
function scrollers() {
  return [...document.querySelectorAll("*")]
    .filter((e) => {
      const flows = getComputedStyle(e).overflowX;
      return (flows === "auto" || flows === "scroll") && e.scrollWidth > e.clientWidth + 1;
    })
    .map((e) => ({ reached: e.tabIndex === 0, name: e.getAttribute("aria-label") }));
}

function focused() {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const box = e.getBoundingClientRect();
  const all = [...document.querySelectorAll("*")];
  return {
    place: all.indexOf(e),
    html: e.outerHTML.slice(0, 80),
    name: e.getAttribute("aria-label") || e.textContent.trim().slice(0, 60),
    outlined: parseFloat(getComputedStyle(e).outlineWidth) > 0,
    seen: box.bottom > 0 && box.top < innerHeight && box.right > 0,
  };
}

function stops() {
  const all = [...document.querySelectorAll("a[href], summary, [tabindex='0']")];
  return all.filter((e) => e.checkVisibility({ contentVisibilityAuto: true })).length;
}

function headings() {
  return [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((h) => Number(h.tagName[1]));
}

// Cells without a head, heads without a scope, tables without a caption.
function tables() {
  const faults = [];
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption || !table.caption.textContent.trim()) faults.push("no caption");
    for (const head of table.querySelectorAll("th")) {
      if (!["col", "row"].includes(head.scope)) faults.push(head.outerHTML);
    }
    for (const row of table.tBodies[0].rows) {
      if (row.cells[0].tagName !== "TH") faults.push(row.outerHTML.slice(0, 80));
    }
  }
  return faults;
}

function pictures() {
  return [...document.images].map((i) => ({
    alt: i.alt,
    drawn: i.complete && i.naturalWidth > 0,
    shown: i.getBoundingClientRect().width,
  }));
}

// Links inside the page that lead nowhere.
function broken() {
  return [...document.querySelectorAll("a[href]")]
    .map((a) => a.getAttribute("href"))
    .filter((href) => !href.startsWith("#") || !document.getElementById(href.slice(1)));
}
