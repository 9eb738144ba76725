// What pages do beyond plain HTML: theme without a reload, copying, keys, menus, and renewal while a sync runs.
const root = document.documentElement;
root.classList.add("script");
const main = document.getElementById("main");

// Theme: the form works without this; here it only saves the reload.
document.querySelector("[data-theme-form]")?.addEventListener("submit", (e) => {
  const theme = e.submitter?.value;
  if (theme !== "light" && theme !== "dark") return;
  e.preventDefault();
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  root.dataset.theme = theme;
});

const toast = document.getElementById("toast");
let toastTimer;
function say(text) {
  toast.textContent = text;
  toast.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("on"), 1600);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied");
  } catch {
    say("This browser does not let pages copy");
  }
}

document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-copy]");
  if (button) copy(button.dataset.copy);
  if (e.target.closest("[data-keys]")) document.getElementById("keys").showModal();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(e.target)) menu.open = false;
  }
});

document.addEventListener("change", (e) => {
  if (e.target.matches("[data-auto]")) e.target.form.requestSubmit();
});

// Forms that filter leave empty fields out of the address.
document.addEventListener("submit", (e) => {
  if (e.target.method !== "get") return;
  for (const field of e.target.elements) {
    if (field.name && field.value === "") field.disabled = true;
  }
});
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form :disabled[name]")) field.disabled = false;
});

// Keys.
const places = { h: "/", c: "/catalog", v: "/verdicts", l: "/objects" };
let going = 0;
let at = -1;

function walk(step) {
  const rows = [...main.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const focused = rows.indexOf(document.activeElement);
  if (focused >= 0) at = focused;
  at = Math.max(0, Math.min(rows.length - 1, at + step));
  for (const marked of main.querySelectorAll(".at")) marked.classList.remove("at");
  (rows[at].closest("tr") ?? rows[at]).classList.add("at");
  rows[at].focus();
}

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (e.target.matches("input[type=search]")) e.target.blur();
    return;
  }
  if (e.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
  if (going && Date.now() - going < 1200) {
    going = 0;
    const place = places[e.key];
    if (place) location.assign(place);
    return;
  }
  going = 0;
  switch (e.key) {
    case "g": going = Date.now(); return;
    case "j": walk(1); break;
    case "k": walk(-1); break;
    case "y": copy(location.href); break;
    case "?": document.getElementById("keys").showModal(); break;
    case "/": {
      const filter = document.querySelector("[data-filter]");
      if (!filter) { location.assign("/why"); break; }
      filter.focus();
      filter.select();
      break;
    }
    default: return;
  }
  e.preventDefault();
});

// A page that changes by itself is asked for anew each second; what has the focus or is open keeps it.
async function renew() {
  if (document.hidden || main.querySelector("details.menu[open], :focus-visible")) return true;
  const answer = await fetch(location.href, { headers: { "X-Fragment": "main" }, cache: "no-store" });
  if (!answer.ok) return true;
  const open = [...main.querySelectorAll("details")].map((d) => d.open);
  main.innerHTML = await answer.text();
  main.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
  return answer.headers.get("X-Live") === "1";
}

async function live() {
  let on = main.hasAttribute("data-live");
  while (on) {
    await new Promise((done) => setTimeout(done, 1000));
    try {
      on = await renew();
    } catch {
      await new Promise((done) => setTimeout(done, 4000)); // the server may be restarting
    }
  }
  main.removeAttribute("data-live");
}
live();
