"use strict";
(() => {
  const root = document.documentElement;
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // ---- charts: both colours of a line are in the tags of its renderer
  const figures = () => (window.Bokeh ? Bokeh.documents.flatMap((doc) => doc.roots()) : []);
  const parts = (figure) => [...figure.left, ...figure.below, ...figure.right, ...figure.above, ...figure.center];

  function paint() {
    const dark = root.dataset.theme === "dark";
    const [text, soft, line, grid, shade, accent] = ["--text", "--soft", "--line", "--grid", "--shade", "--accent"].map(css);
    for (const figure of figures()) {
      for (const part of parts(figure)) {
        if (part.type.endsWith("Axis")) {
          part.axis_line_color = line; part.major_tick_line_color = line;
          part.major_label_text_color = soft; part.axis_label_text_color = soft;
        } else if (part.type === "Grid") {
          part.grid_line_color = grid;
        } else if (part.type === "BoxAnnotation") {
          part.fill_color = shade; part.fill_alpha = 1;
        } else if (part.type === "Span") {
          part.line_color = soft;
        }
      }
      for (const renderer of figure.renderers) {
        if (renderer.type !== "GlyphRenderer" || renderer.tags.length !== 2) continue;
        const colour = renderer.tags[dark ? 1 : 0];
        for (const key of ["line_color", "fill_color"]) {
          const glyph = renderer.glyph;
          if (key in glyph && glyph[key] && glyph[key].value !== null) glyph[key] = { value: colour };
        }
      }
    }
    const button = document.getElementById("theme");
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(dark));
    button.setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
  }

  function setTheme(name, keep) {
    root.dataset.theme = name;
    if (keep) { try { localStorage.setItem("dmf-theme", name); } catch (error) { /* no storage for files */ } }
    paint();
  }

  document.getElementById("theme").addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark", true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light", false));

  // ---- paper: a canvas keeps the width of the window and a table scrolls, so both are printed as copies that fit
  const PAPER = 690;  // pixels between the margins of A4; other sizes scale a chart
  const MOST = 8;  // columns beside the first that are legible on it
  let before = null;
  function copyCharts() {
    const views = figures().map((figure) => Bokeh.index[figure.id]);
    const resized = () => { for (const view of views) view.after_resize(); };
    root.classList.add("measured");
    root.style.setProperty("--paper", PAPER + "px");
    resized();
    for (const view of views) {
      for (const { glyph, model, all_indices } of view.renderer_views.values()) {
        if (glyph) glyph.set_visuals(model.data_source, all_indices);  // a new colour is taken over later, else
      }
      const copy = document.createElement("div");
      copy.className = "paper";
      copy.innerHTML = view.export("svg", false).ctx.get_serialized_svg();
      const drawing = copy.firstElementChild;
      drawing.setAttribute("viewBox", `0 0 ${drawing.getAttribute("width")} ${drawing.getAttribute("height")}`);
      const plot = view.el.closest(".plot");
      plot.append(copy);
      plot.classList.add("copied");
    }
    root.classList.remove("measured");
    resized();
  }
  function copyTables() {
    for (const table of document.querySelectorAll(".scroll > table")) {
      const columns = table.tHead.rows[0].cells.length;
      if (columns <= MOST + 1) continue;
      for (let first = 1; first < columns; first += MOST) {
        const copy = table.cloneNode(true);
        copy.removeAttribute("id");
        copy.className = "paper";
        for (const row of copy.rows) {
          [...row.cells].forEach((cell, i) => { if (i > 0 && (i < first || i >= first + MOST)) cell.remove(); });
        }
        table.parentElement.append(copy);
      }
      table.classList.add("copied");
    }
  }
  function forget() {
    for (const copy of document.querySelectorAll(".paper")) copy.remove();
    for (const copied of document.querySelectorAll(".copied")) copied.classList.remove("copied");
  }
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    setTheme("light", false);
    forget();
    copyTables();
    copyCharts();
  });
  addEventListener("afterprint", () => {
    forget();
    if (before) setTheme(before, false);
  });

  // A drag over a chart scrolls the page where a finger does it.
  function touch() {
    if (!matchMedia("(pointer: coarse)").matches) return;
    for (const figure of figures()) figure.toolbar.active_drag = null;
  }

  // ---- what can be hidden
  for (const button of document.querySelectorAll("[data-toggle]")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      const name = button.dataset.toggle;
      for (const other of document.querySelectorAll("[data-toggle]")) {
        if (other.dataset.toggle === name) other.setAttribute("aria-pressed", String(shown));
      }
      for (const figure of figures()) {
        for (const renderer of figure.renderers) if (renderer.name === "toggle:" + name) renderer.visible = shown;
      }
    });
  }

  // ---- tables
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent : cell.dataset.sort;
  };
  function compare(a, b) {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
  }
  function sort(head) {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");  // unknown: last in both directions
      return up ? compare(a, b) : compare(b, a);
    });
    body.append(...rows.map(([, row]) => row));
  }
  for (const button of document.querySelectorAll("button.sort")) button.addEventListener("click", () => sort(button.parentElement));

  // ---- sliders
  for (const input of document.querySelectorAll(".stage input")) {
    input.addEventListener("input", () => {
      input.parentElement.style.setProperty("--at", input.value + "%");
      input.setAttribute("aria-valuetext", "line at " + input.value + " percent");
    });
  }

  // ---- copy
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch (error) {  // not allowed here: select it, so that the keyboard can copy it
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // Charts are drawn once the document is loaded; details and print change their size, which they follow themselves.
  function ready(tries) {
    const wanted = document.querySelectorAll(".plot [data-root-id]").length;
    if (figures().length < wanted && tries > 0) return setTimeout(() => ready(tries - 1), 50);
    touch();
    paint();
    root.dataset.ready = "true";
  }
  ready(200);
})();
