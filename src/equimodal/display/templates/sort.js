"use strict";
// A click on a column's name, or Enter or Space on it, sorts its table: upwards, downwards, and as it was.
// Tables whose cells span several rows or columns stay as they are; rows of the class "all" stay on top.
for (const table of document.querySelectorAll(".scroll > table")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (rows.length < 3 || table.tHead.rows.length > 1 || table.querySelector("[colspan], [rowspan]")) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    button.title = "Sort by this column";
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] || "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (next !== "none") head.setAttribute("aria-sort", next);
      body.append(...(next === "none" ? rows : sorted(rows, column, next === "ascending" ? 1 : -1)));
    });
  });
}

function sorted(rows, column, sign) {
  const keys = new Map(rows.map((row) => [row, key(row.cells[column])]));
  const words = [...keys.values()].every((one) => Number.isNaN(one.number));
  return [...rows].sort((a, b) => {
    const [first, second] = [keys.get(a), keys.get(b)];
    const top = b.classList.contains("all") - a.classList.contains("all");
    if (top) return top;
    if (words) return sign * first.text.localeCompare(second.text);
    const unknown = Number.isNaN(first.number) - Number.isNaN(second.number); // no number: below all others
    return unknown || sign * (first.number - second.number) || 0;
  });
}

function key(cell) {
  const text = cell ? cell.textContent.trim().replaceAll("\u2212", "-") : "";
  return { text, number: Number.parseFloat(text) };
}
