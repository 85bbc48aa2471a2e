// Asks the reviews API many times and shows which version answered how often.
"use strict";

const REQUESTS = 20;
const panel = document.getElementById("split");
const button = document.getElementById("ask");

async function versionThatAnswers() {
  try {
    const response = await fetch("/api/v1/products/0/reviews" + panel.dataset.query, { cache: "no-store" });
    const version = response.ok ? (await response.json()).version : "error";
    return ["v1", "v2", "v3"].includes(version) ? version : "error";
  } catch {
    return "error";
  }
}

function show(counts, asked) {
  for (const row of panel.querySelectorAll("li")) {
    const count = counts[row.dataset.version];
    row.querySelector("i").style.width = asked ? `${(100 * count) / asked}%` : "0";
    row.querySelector("b").textContent = count;
  }
}

button.addEventListener("click", async () => {
  button.disabled = true;
  const counts = { v1: 0, v2: 0, v3: 0, error: 0 };
  for (let asked = 1; asked <= REQUESTS; asked++) {
    counts[await versionThatAnswers()]++;
    show(counts, asked);
  }
  button.disabled = false;
});
