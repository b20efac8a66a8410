// Tiles and searches filter, and the address keeps them, so that a link can be sent; heads of tables sort.
// Without this script everything is shown.
const forms = Array.from(document.querySelectorAll("form.filter"), (form) => {
  const scope = document.getElementById(form.dataset.scope);
  const rows = Array.from(scope.querySelectorAll("tbody tr"), (row) => ({ row, text: row.textContent.toLowerCase() }));
  return { form, scope, rows, search: form.querySelector("input"), count: form.querySelector("output") };
});
const wanted = () => new URLSearchParams(location.hash.slice(1));
const keep = (name, value) => {
  const parts = wanted();
  value ? parts.set(name, value) : parts.delete(name);
  history.replaceState(null, "", `#${parts}`);
  show();
};
function filter({ form, scope, rows, search, count }, parts) {
  const words = parts.get(form.dataset.key) ?? "";
  if (search.value !== words) search.value = words;
  const fits = (group) => !group || ["who", "outcome"].every((name) => !parts.get(name) || group.dataset[name] === parts.get(name));
  const groups = new Map();
  let shown = 0;
  for (const { row, text } of rows) {
    const group = row.closest(".group");
    const kept = fits(group) && text.includes(words.toLowerCase());
    row.hidden = !kept;
    shown += kept ? 1 : 0;
    if (group) groups.set(group, groups.get(group) || kept);
  }
  for (const group of scope.querySelectorAll(".group")) {
    group.hidden = !fits(group) || (words !== "" && !groups.get(group));
    if (words && !group.hidden) group.open = true;
  }
  for (const section of scope.querySelectorAll("section")) section.hidden = !section.querySelector(".group:not([hidden])");
  count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} ${form.dataset.noun} shown`;
}
function show() {
  const parts = wanted();
  for (const one of forms) filter(one, parts);
  for (const tile of document.querySelectorAll("a.tile")) {
    if (tile.hash === location.hash) tile.setAttribute("aria-current", "true");
    else tile.removeAttribute("aria-current");
  }
}
function arrive() {
  show();
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = place; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
  if (place) place.scrollIntoView();
}
function sort(table, at, button) {
  const head = button.parentElement;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const read = (row) => row.cells[at].textContent.trim();
  const number = (text) => Number.parseFloat(text.replaceAll(",", ""));
  const compare = head.classList.contains("number")
    ? (left, right) => (number(read(left)) || 0) - (number(read(right)) || 0)
    : (left, right) => read(left).localeCompare(read(right), "en", { numeric: true });
  const rows = Array.from(table.tBodies[0].rows).sort(compare);
  table.tBodies[0].append(...(down ? rows.reverse() : rows));
}
for (const one of forms) {
  one.form.hidden = false;
  one.form.addEventListener("input", () => keep(one.form.dataset.key, one.search.value));
  one.form.addEventListener("submit", (event) => event.preventDefault());
}
for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, at, button));
    head.append(button);
  });
}
addEventListener("hashchange", arrive);
arrive();
