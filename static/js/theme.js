// Runs in <head> before the first paint, so that the remembered theme never flashes the other one.
(() => {
  const root = document.documentElement;

  // Storage may be refused (private windows); the page must work all the same.
  const recall = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const remember = (key, value) => {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {
      // Not remembered, still applied.
    }
  };

  const applyTheme = (choice) => {
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
    else delete root.dataset.theme;
  };
  const markChoice = () => {
    const choice = recall("am-theme") ?? "system";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  };
  const applySidebar = (choice) => {
    root.dataset.sidebar = choice === "narrow" ? "narrow" : "wide";
  };
  const markSidebar = () => {
    const button = document.querySelector("[data-sidebar-toggle]");
    button?.setAttribute("aria-expanded", String(root.dataset.sidebar !== "narrow"));
  };

  applyTheme(recall("am-theme"));
  applySidebar(recall("am-sidebar"));
  root.classList.add("js");

  document.addEventListener("DOMContentLoaded", () => {
    markChoice();
    markSidebar();
  });
  // With "system" chosen the colours change by themselves; what is drawn on a canvas has to be told.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("am:theme")));
  document.addEventListener("click", (event) => {
    const theme = event.target.closest?.("[data-theme-choice]");
    if (theme) {
      const choice = theme.dataset.themeChoice;
      remember("am-theme", choice === "system" ? null : choice);
      applyTheme(choice);
      markChoice();
      document.dispatchEvent(new CustomEvent("am:theme"));
    }
    if (event.target.closest?.("[data-sidebar-toggle]")) {
      const next = root.dataset.sidebar === "narrow" ? "wide" : "narrow";
      remember("am-sidebar", next);
      applySidebar(next);
      markSidebar();
    }
  });
})();
