"use strict";
// The page can be read without this script. It filters and sorts, moves through strengths, and saves panels.
// Nothing is fetched, nothing is stored, and no text of the run ever becomes markup.
// The other files of this folder are joined to this one; `start` runs when all are there.

const all = (root, selector) => [...root.querySelectorAll(selector)];
const data = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function offerThemes(button) {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const say = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    say();
  });
  system.addEventListener("change", say);
  button.hidden = false;
  say();
}

/** Open viewers when they come near, for decoding all at once would hold up scrolling. */
function viewWhenNear(viewers) {
  const watch = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watch.unobserve(target);
        view(target);
      }
    },
    { rootMargin: "800px" },
  );
  for (const viewer of viewers) {
    viewer.hidden = false;
    watch.observe(viewer);
  }
}

/** What scrolls sideways can be reached by keyboard. */
function reachScrollers() {
  for (const box of all(document, ".scroll:not([tabindex])")) {
    if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
  }
}

function start() {
  offerThemes(document.querySelector(".theme"));
  all(document, ".ranking").forEach(rank);
  all(document, "[data-panel]").forEach(offerSaving);
  viewWhenNear(all(document, ".viewer"));
  reachScrollers();
  addEventListener("resize", reachScrollers);
}

document.addEventListener("DOMContentLoaded", start);
