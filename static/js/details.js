// What a person opened stays open when its part of the page is read again.

let open = [];

export function start() {
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    open = [...(target?.querySelectorAll?.("details[id][open]") ?? [])].map((one) => one.id);
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  });
}
