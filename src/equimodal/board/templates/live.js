"use strict";
// Every few seconds the page is fetched again; where its content has changed, it takes the place of what was there.
const EVERY = 3000;
const warning = document.createElement("p");
warning.className = "note lost";
warning.setAttribute("role", "status");
document.body.append(warning);

async function refresh() {
  if (document.hidden) return;
  const old = document.querySelector("main");
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = fresh.querySelector("main");
    if (!main) throw new Error("no page");
    warning.textContent = "";
    if (main.innerHTML === old.innerHTML) return;
    const focused = document.activeElement.getAttribute("href");
    const scrolled = [...old.querySelectorAll(".scroll")].map((table) => table.scrollLeft);
    old.replaceWith(document.adoptNode(main));
    main.querySelectorAll(".scroll").forEach((table, i) => (table.scrollLeft = scrolled[i] ?? 0));
    document.title = fresh.title;
    if (focused) main.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  } catch {
    warning.textContent = "The board does not answer: this page is as it was.";
  }
}

async function again() {
  await refresh();
  setTimeout(again, EVERY);
}
setTimeout(again, EVERY);
document.addEventListener("visibilitychange", refresh);
