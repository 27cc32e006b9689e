/* What is wider than the page scrolls by itself: let the keyboard reach it. */

document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  const wide = document.querySelectorAll(".bd-article :is(div.math, span.long, figure)");
  for (const element of wide) observer.observe(element);
});
