"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const element of document.querySelectorAll(".js")) element.hidden = false;
  for (const element of document.querySelectorAll(".nojs")) element.hidden = true;

  function size(count) {
    let value = count, unit = 0;
    while (Math.abs(value) >= 999.5 && unit < units.length - 1) { value /= 1000; unit += 1; }
    return (unit === 0 || Math.abs(value) >= 99.95 ? value.toFixed(0) : value.toFixed(1)) + " " + units[unit];
  }
  function text(value, kind) {
    if (value === null) return kind === "bytes" || kind === "share" ? "unknown" : "";
    if (kind === "bytes") return size(value);
    if (kind === "share") return (100 * value).toFixed(1) + " %";
    if (kind === "number") return value.toLocaleString("en");
    return Array.isArray(value) ? value.join(", ") : String(value);
  }

  // tables: search and sort; only visible rows are in the document
  for (const place of document.querySelectorAll("[data-table]")) {
    const { columns, rows } = data[place.dataset.table];
    const scroll = place.querySelector(".scroll"), body = place.querySelector("tbody");
    const count = place.querySelector(".count"), heads = [...place.querySelectorAll("th")];
    const words = rows.map((row) => row.map((value, at) => text(value, columns[at].kind)).join("\n").toLowerCase());
    const even = !columns.some((column) => column.kind === "long");
    let shown = rows.map((_, at) => at), sorted = -1, down = true, height = 34;

    function line(at) {
      const tr = document.createElement("tr");
      rows[at].forEach((value, column) => {
        const td = document.createElement("td");
        td.className = columns[column].kind;
        td.textContent = text(value, columns[column].kind);
        if (even) td.title = td.textContent;
        tr.append(td);
      });
      return tr;
    }
    function space(pixels) {
      const tr = document.createElement("tr"), td = document.createElement("td");
      tr.className = "space";
      tr.setAttribute("aria-hidden", "true");
      td.colSpan = columns.length;
      td.style.height = pixels + "px";
      tr.append(td);
      return tr;
    }
    function draw() {
      if (!even && shown.length <= 300) { body.replaceChildren(...shown.map(line)); return; }
      const first = Math.max(0, Math.floor(scroll.scrollTop / height) - 20);
      const last = Math.min(shown.length, first + Math.ceil(scroll.clientHeight / height) + 40);
      const lines = shown.slice(first, last).map(line);
      body.replaceChildren(space(first * height), ...lines, space((shown.length - last) * height));
      if (lines.length && lines[0].offsetHeight) height = lines[0].offsetHeight;
    }
    function say() { count.textContent = shown.length === rows.length ? rows.length.toLocaleString("en") + " rows" : shown.length.toLocaleString("en") + " of " + rows.length.toLocaleString("en") + " rows"; }

    place.querySelector("input").addEventListener("input", (event) => {
      const wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = shown.length === rows.length && !wanted.length ? shown : order(rows.map((_, at) => at).filter((at) => wanted.every((word) => words[at].includes(word))));
      scroll.scrollTop = 0; say(); draw();
    });
    function order(list) {
      if (sorted < 0) return list;
      const sign = down ? -1 : 1;
      return list.sort((a, b) => {
        const one = rows[a][sorted], other = rows[b][sorted];
        if (one === other) return a - b;
        if (one === null) return 1;
        if (other === null) return -1;
        return sign * (typeof one === "number" ? one - other : String(one).localeCompare(String(other), "en"));
      });
    }
    heads.forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        down = sorted === at ? !down : columns[at].kind !== "text" && columns[at].kind !== "long";
        sorted = at;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        shown = order(shown); scroll.scrollTop = 0; draw();
      });
    });
    let waiting = false;
    scroll.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; draw(); });
    });
    addEventListener("beforeprint", () => body.replaceChildren(...shown.slice(0, 2000).map(line)));
    addEventListener("afterprint", draw);
    say(); draw();
  }

  // the treemap: zooming in changes the view box; the tiles do not move
  const map = document.getElementById("treemap");
  if (map) {
    const tiles = [...map.querySelectorAll(".tile")], up = document.getElementById("up"), where = document.getElementById("where");
    const home = map.getAttribute("viewBox").split(" ").map(Number);
    const level = (tile) => (tile.classList.contains("l1") ? 1 : tile.classList.contains("l2") ? 2 : 3);
    const boxOf = (tile) => tile.dataset.box.split(" ").map(Number);
    // names are drawn above all tiles
    const names = document.createElementNS(map.namespaceURI, "g");
    map.append(names);
    let path = [];

    function label(tile, box) {
      const name = nameOf(tile);
      const [x, y, width, height] = boxOf(tile), scale = box[2] / 1000, tall = box[3] / 560;
      const room = Math.floor(width / (6.8 * scale));
      name.style.display = room > 4 && height > 15 * tall ? "block" : "none";
      const whole = name.dataset.whole;
      name.textContent = whole.length > room ? whole.slice(0, Math.max(room - 1, 1)) + "…" : whole;
      name.setAttribute("transform", `translate(${x + 4 * scale} ${y + 12.5 * tall}) scale(${scale} ${tall})`);
    }
    function nameOf(tile) {
      if (tile.nameText) return tile.nameText;
      const name = document.createElementNS(map.namespaceURI, "text"), title = tile.querySelector("title").textContent;
      const ends = { 1: /: /, 2: /(?<=^[^,]*,[^,]*),/, 3: /, / };
      name.dataset.whole = title.split(ends[level(tile)])[0];
      tile.querySelector("text")?.remove();
      names.append(name);
      return (tile.nameText = name);
    }
    function show() {
      const box = path.length ? boxOf(path[path.length - 1]) : home, inside = path[path.length - 1], depth = path.length + 1;
      map.dataset.level = depth;
      tiles.forEach((tile) => {
        const here = level(tile) === depth && (!inside || tiles[Number(tile.dataset.in)] === inside);
        const open = here && depth < 3 && !tile.classList.contains("rest");
        if (open) { tile.setAttribute("role", "button"); tile.setAttribute("tabindex", "0"); tile.setAttribute("aria-label", tile.querySelector("title").textContent); }
        else { tile.removeAttribute("role"); tile.removeAttribute("tabindex"); tile.removeAttribute("aria-label"); }
        if (here) label(tile, box); else if (tile.nameText) tile.nameText.style.display = "none";
      });
      up.disabled = !path.length;
      where.textContent = path.map((tile) => tile.querySelector("title").textContent).join("  ›  ");
      move(box);
    }
    function move(to) {
      const from = map.getAttribute("viewBox").split(" ").map(Number), begun = performance.now();
      if (reduced) { map.setAttribute("viewBox", to.join(" ")); return; }
      (function step(now) {
        const part = Math.min(1, Math.max(0, now - begun) / 220), eased = 1 - (1 - part) ** 3;
        map.setAttribute("viewBox", from.map((value, at) => value + (to[at] - value) * eased).join(" "));
        if (part < 1) requestAnimationFrame(step);
      })(begun);
    }
    function enter(target) {
      const tile = target.closest(".tile");
      if (tile && tile.getAttribute("role") === "button") { path.push(tile); show(); }
      else if (tile && path.length < 2) {
        const parent = tiles[Number(tile.dataset.in)];
        if (parent) enter(parent);
      }
    }
    map.addEventListener("click", (event) => enter(event.target));
    map.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); enter(event.target); }
    });
    addEventListener("keydown", (event) => { if (event.key === "Escape" && path.length) { path.pop(); show(); } });
    up.addEventListener("click", () => { path = []; show(); });
    show();
  }

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
})();
