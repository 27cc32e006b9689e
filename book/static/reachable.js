/* What is wider than the page scrolls by itself: let the keyboard reach it. */

document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolled = target.querySelector("mjx-container") || target;
      if (scrolled.scrollWidth > scrolled.clientWidth) scrolled.tabIndex = 0;
      else scrolled.removeAttribute("tabindex");
    }
  });
  const wide = document.querySelectorAll(".bd-article :is(div.math, figure)");
  for (const element of wide) observer.observe(element);
});
