/* A formula is copied as its TeX, where text is asked for; browsers would give each of its letters a line. */

document.addEventListener("copy", (event) => {
  const selection = getSelection();
  const copied = document.createElement("div");
  if (selection.rangeCount) copied.append(selection.getRangeAt(0).cloneContents());
  const formulas = copied.querySelectorAll("math[data-tex]");
  if (!formulas.length) return;
  event.clipboardData.setData("text/html", copied.innerHTML);
  for (const formula of formulas) formula.replaceWith(`$${formula.dataset.tex}$`);
  for (const block of copied.querySelectorAll("p, li, tr, dt, dd, h1, h2, h3, pre")) block.append("\n");
  event.clipboardData.setData("text/plain", copied.textContent.trim());
  event.preventDefault();
});
