"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  // The list of candidates: sort by any column, find by words, show one state. Without this script it is whole.
  const table = byId("table");
  if (table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const form = document.querySelector(".filter");
    const find = byId("find"), state = byId("state"), shown = byId("shown");
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    const texts = rows.map((row) => (row.textContent + " " + row.querySelector("th").title).toLowerCase());
    const apply = () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      rows.forEach((row, i) => {
        const keep = (!state.value || row.dataset.state === state.value) && words.every((w) => texts[i].includes(w));
        row.hidden = !keep;
        count += keep;
      });
      shown.textContent = count === rows.length ? "" : `${count} of ${rows.length}`;
    };
    find.addEventListener("input", apply);
    state.addEventListener("change", apply);

    table.querySelectorAll("thead th").forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column].dataset.v;
        const numeric = head.dataset.sort === "number";
        const sorted = [...rows].sort((a, b) => {
          const x = value(a), y = value(b);
          if (numeric) {
            if (x === "" || y === "") return (x === "") - (y === "");
            return down ? y - x : x - y;
          }
          return down ? y.localeCompare(x) : x.localeCompare(y);
        });
        body.append(...sorted);
      });
    });
  }

  // What a dot in the picture stands for.
  const tip = byId("tip");
  const show = (event) => {
    const dot = event.target.closest && event.target.closest("[data-tip]");
    if (!dot) { tip.hidden = true; return; }
    tip.textContent = dot.dataset.tip;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - box.width - 8);
    const y = event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18;
    tip.style.left = Math.max(8, x) + "px";
    tip.style.top = Math.max(8, y) + "px";
  };
  document.querySelectorAll("svg [data-tip] > title").forEach((title) => title.remove());
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  const save = byId("save");
  save.hidden = false;
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([byId("raw").textContent], { type: "application/json" }));
    link.download = "speedwell-report.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });

  // Paper cannot be clicked: everything folded is opened for it.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
})();
