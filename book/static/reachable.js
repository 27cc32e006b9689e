/* An equation that is wider than the page scrolls by itself: let the keyboard reach it. */

document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const equation = target.querySelector("mjx-container") || target;
      const hidden = equation.scrollWidth > equation.clientWidth;
      if (hidden) equation.tabIndex = 0;
      else equation.removeAttribute("tabindex");
    }
  });
  for (const equation of document.querySelectorAll("div.math")) observer.observe(equation);
});
