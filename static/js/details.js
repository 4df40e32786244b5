// What a person opened stays open, and what they are typing stays theirs, when a part of the page is read again.

let open = [];

// A field that says something else than what the server sent.
export function isTypedIn(element) {
  return [...element.querySelectorAll("input, textarea")].some((field) => {
    if (field.type === "hidden") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    return field.value !== field.defaultValue;
  });
}

export function start() {
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig } = event.detail;
    // Reading again waits until the words are sent or taken back; forms of their own are asked by a person.
    if (requestConfig?.verb === "get" && elt.tagName !== "FORM" && elt.matches("[hx-trigger*='from:body']") && isTypedIn(elt)) {
      event.preventDefault();
    }
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    open = [...(target?.querySelectorAll?.("details[id][open]") ?? [])].map((one) => one.id);
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  });
}
