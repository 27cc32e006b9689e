/* A link to a proposition, equation, claim, figure, table, source, symbol or number shows it in place: while the pointer
   stays on it, while it has the focus, and at the first tap. It leads there all the same. */

(() => {
  const SHOWN = /#(prop|equation|claim|fig|tab|symbol|number)-|bibliography\.html#/;
  const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href).href;
  const waiting = {};
  const box = document.createElement("div");
  let wanted = null; // the link that is to show something
  let timer = 0;
  let touched = false;

  box.id = "preview";
  box.className = "preview bd-article";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  addEventListener("DOMContentLoaded", () => document.body.append(box));

  function linkAt(target) {
    const link = target.closest?.("article a[href]:not(.headerlink)");
    return link && link.href.startsWith(root) && SHOWN.test(link.href) ? link : null;
  }

  /* The pieces of a page by their anchors; none if its file is not there. */
  function load(page) {
    waiting[page] ??= new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = `${root}_previews/${page}.js`;
      script.onload = script.onerror = () => resolve(window.previews?.[page] ?? {});
      document.head.append(script);
    });
    return waiting[page];
  }

  function fill(html, address) {
    box.innerHTML = html;
    for (const element of box.querySelectorAll("[id]")) element.removeAttribute("id");
    for (const name of ["src", "href"])
      for (const element of box.querySelectorAll(`[${name}]`)) {
        element.setAttribute(name, new URL(element.getAttribute(name), address).href);
        element.tabIndex = -1; // the box is read, not walked through
      }
  }

  async function show(link, tapped = false) {
    clearTimeout(timer);
    if (wanted === link && !box.hidden) return;
    hide();
    wanted = link;
    const [address, anchor] = link.href.split("#");
    const page = decodeURIComponent(address.slice(root.length)).replace(/\.html$/, "");
    const html = (await load(page))[decodeURIComponent(anchor)];
    if (wanted !== link) return;
    if (!html) {
      if (tapped) location.assign(link.href);
      return;
    }
    fill(html, address);
    if (tapped) {
      const go = document.createElement("a");
      go.href = link.href;
      go.className = "go";
      go.textContent = "Go there";
      box.append(go);
    }
    box.style.visibility = "hidden";
    box.hidden = false;
    place(link);
    box.style.visibility = "";
    link.setAttribute("aria-describedby", box.id);
  }

  /* Below the link, or above it if there is more room. */
  function place(link) {
    const [first, last] = [link.getClientRects()[0], [...link.getClientRects()].pop()];
    const room = document.documentElement.clientWidth - box.offsetWidth - 12;
    const above = innerHeight - last.bottom < box.offsetHeight + 8 && first.top > innerHeight - last.bottom;
    const top = above ? first.top - box.offsetHeight - 8 : last.bottom + 8;
    box.style.left = `${Math.max(12, Math.min(first.left, room)) + scrollX}px`;
    box.style.top = `${top + scrollY}px`;
  }

  function hide() {
    clearTimeout(timer);
    wanted?.removeAttribute("aria-describedby");
    wanted = null;
    box.hidden = true;
  }

  addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType === "touch") return;
    const link = linkAt(target);
    clearTimeout(timer);
    if (link) timer = setTimeout(show, 200, link);
    else if (wanted && !box.contains(target)) timer = setTimeout(hide, 300);
  });
  addEventListener("focusin", ({ target }) => {
    const link = linkAt(target);
    if (link?.matches(":focus-visible")) show(link);
  });
  addEventListener("focusout", ({ target }) => target === wanted && !touched && hide());
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  addEventListener("pointerdown", ({ pointerType }) => (touched = pointerType === "touch"), true);
  addEventListener("click", (event) => {
    const link = linkAt(event.target);
    if (touched && link && (wanted !== link || box.hidden)) {
      event.preventDefault();
      show(link, true);
    } else if (!box.contains(event.target)) hide();
  });
})();
