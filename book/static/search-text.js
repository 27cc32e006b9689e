/* The search shows, of each place that it finds, the sentence with the word; chapters stand before the module's names. */

(() => {
  const MOST = 240; // characters

  Scorer.score = ([page, , , , score]) => (page.startsWith("book/api") ? score - 100 : score);
  Documentation.TRANSLATIONS["Search finished, found ${resultCount} page(s) matching the search query."] =
    "Search finished: ${resultCount} places.";

  function sentence(text, keywords) {
    const sentences = text.replace(/\s+/g, " ").trim().split(/(?<=[.?!:]) (?=\p{Lu})/u);
    const found = sentences.findIndex((words) => keywords.some((word) => words.toLowerCase().includes(word)));
    if (found < 0) return "";
    const shown = sentences.slice(found).join(" ");
    const places = keywords.map((word) => shown.toLowerCase().indexOf(word)).filter((place) => place >= 0);
    const end = shown.indexOf(" ", Math.max(MOST, Math.min(...places))); // not before the word
    return end < 0 ? shown : `${shown.slice(0, end)} …`;
  }

  Search.makeSearchSummary = (html, keywords, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const article = page.querySelector("article");
    const place = (anchor && article.querySelector(anchor)) || article;
    const words = [...keywords].map((word) => word.toLowerCase());
    const texts = [...place.querySelectorAll("p, li, dd, td, figcaption")].map((element) => element.textContent);
    const summary = document.createElement("p");
    summary.className = "context";
    summary.textContent = texts.map((text) => sentence(text, words)).find(Boolean) ?? "";
    return summary;
  };
})();
