// What the tests of the report ask a page.
window.checks = {
  column: (table, number) => [...document.querySelectorAll(`#table-${table} tbody tr`)].map((row) => row.cells[number].textContent.trim()),

  shown: (name) => Bokeh.documents.flatMap((doc) => doc.roots()).flatMap((figure) => figure.renderers)
    .filter((renderer) => renderer.name === "toggle:" + name).map((renderer) => renderer.visible),

  // Pixels of a chart that have a colour; its canvases are inside of shadow roots.
  pixels(chart, [r, g, b]) {
    const find = (node) => node.tagName === "CANVAS" ? [node]
      : [...(node.shadowRoot ? node.shadowRoot.children : []), ...node.children].flatMap(find);
    let count = 0;
    for (const canvas of find(document.querySelector(`#chart-${chart} .plot`))) {
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      for (let i = 0; i < data.length; i += 4) {
        const off = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
        if (off < 12 && data[i + 3] > 200) count++;
      }
    }
    return count;
  },

  hovered: () => [...document.querySelectorAll(".bk-Tooltip")].map((box) => box.shadowRoot.textContent + box.textContent).join(" "),

  // The basic rules that axe has: names, labels, captions, scopes, ids, landmarks, the order of headings.
  faults() {
    const all = (selector) => [...document.querySelectorAll(selector)], faults = [];
    const want = (selector, right) => all(selector).forEach((e) => right(e) || faults.push(e.outerHTML.slice(0, 200)));
    want("img", (e) => e.alt);
    want("button, a, summary", (e) => (e.getAttribute("aria-label") || e.textContent).trim());
    want("input, [role=region], [role=group], [role=img], nav", (e) => e.getAttribute("aria-label"));
    want("th", (e) => ["col", "row"].includes(e.scope));
    want("table", (e) => e.caption && e.caption.textContent);
    want("[aria-hidden=true]", (e) => !e.querySelector("button, a, input"));
    want("[id]", (e) => all("[id]").filter((other) => other.id === e.id).length === 1);
    if (all("h1").length !== 1 || all("main").length !== 1 || !document.title) faults.push("landmarks");
    let level = 0;
    for (const e of all("h1, h2, h3, h4")) {
      if (Number(e.tagName[1]) > level + 1) faults.push("a level is skipped before " + e.textContent);
      level = Number(e.tagName[1]);
    }
    return faults;
  },

  // Texts with less than 4.5 : 1 against what is behind them (WCAG 2, AA), where both are plain colours.
  faint() {
    const numbers = (text) => text.match(/[\d.]+/g).map(Number);
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const behind = (e) => {
      for (; e; e = e.parentElement) {
        const colour = numbers(getComputedStyle(e).backgroundColor);
        if (colour[3] !== 0) return colour;
      }
      return [255, 255, 255];
    };
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const e = node.parentElement;
      if (!node.textContent.trim() || e.closest("script, style, noscript, .stage, .skip") || !e.getClientRects().length) continue;
      const [a, b] = [light(numbers(getComputedStyle(e).color)), light(behind(e))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.textContent.trim().slice(0, 40)}`);
    }
    return found;
  },
};
