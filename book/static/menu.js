/* The menu of downloads opens and closes by its button, and closes by Escape or a click elsewhere. */

document.addEventListener("click", ({ target }) => {
  for (const button of document.querySelectorAll("[data-bs-toggle=dropdown]")) {
    const open = button.contains(target) && button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", open);
    button.nextElementSibling.classList.toggle("show", open);
  }
});

document.addEventListener("keydown", ({ key }) => {
  const button = document.querySelector("[data-bs-toggle=dropdown][aria-expanded=true]");
  if (key === "Escape" && button) {
    button.click();
    button.focus();
  }
});
