/* Long tables: sort by a column, keep the rows that hold a text. Without scripts they stay whole. */

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.sortable")) enhance(table);
});

function enhance(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const named = table.matches(".grouped"); // by its first column
  const group = () => {
    const together = heads.every((head, column) => !column || !head.ariaSort);
    table.classList.toggle("grouped", together);
    let above = null;
    for (const row of [...body.rows].filter((row) => !row.hidden)) {
      const name = row.cells[0].textContent;
      row.cells[0].classList.toggle("repeats", together && name === above);
      above = name;
    }
  };
  heads.forEach((head, column) => {
    if (!head.textContent.trim() || head.querySelector("a")) return; // no name, or one that leads elsewhere
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.ariaSort === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...[...body.rows].sort(by(column, down ? -1 : 1)));
      if (named) group();
    });
  });

  const label = document.createElement("label");
  const field = document.createElement("input");
  field.type = "search";
  label.className = "filter";
  label.append("Rows with ", field);
  table.parentElement.before(label);
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    if (named) group();
  });
}

/* Numbers by their value, with what is none after them whatever the order; all else as a text. */
function by(column, sign) {
  const key = (row) => row.cells[column].textContent.trim();
  const value = (text) => parseFloat(text.replace("\u2212", "-").replace(/,/g, ""));
  return (a, b) => {
    const [x, y] = [key(a), key(b)];
    const [u, v] = [value(x), value(y)];
    if (Number.isNaN(u) || Number.isNaN(v)) {
      if (Number.isNaN(u) && Number.isNaN(v)) return sign * x.localeCompare(y);
      return Number.isNaN(u) ? 1 : -1;
    }
    return sign * (u - v);
  };
}
