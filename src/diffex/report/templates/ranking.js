// The ranked table: choosing rows, and their order.

const DOWN_FIRST = new Set(["effect", "flip-rate", "significant", "max-strength"]);
const AS_TEXT = new Set(["title", "edit"]);

function compare(key, down) {
  const read = (row) => row.getAttribute(`data-${key}`);
  return (a, b) => {
    const [x, y] = [read(a), read(b)];
    if (!x || !y) return Number(!x) - Number(!y); // what is not known comes last
    const order = AS_TEXT.has(key) ? x.localeCompare(y) : Number(x) - Number(y);
    return down ? -order : order;
  };
}

function rank(section) {
  const [table, ...others] = all(section, "table.ranked");
  if (!table) return;
  const rows = all(section, "table.ranked tbody tr");
  const bar = section.querySelector(".filters");
  table.tBodies[0].append(...rows);
  bar.after(table);
  all(section, ":scope > details").forEach((one) => one.remove());
  table.caption.textContent = "Rows in the order and choice set above";
  const find = (name) => bar.querySelector(`.${name}`);

  function choose() {
    const words = find("text").value.trim().toLowerCase();
    const part = find("part").value;
    const kind = find("kind")?.value;
    const checks = [
      (row) => part === "all" || (part === "lead" ? row.dataset.part === "lead" : row.dataset.significant === "1"),
      (row) => !kind || row.dataset.kind === kind,
      (row) => !find("verified")?.checked || row.dataset.verified === "1",
      (row) => !words || row.textContent.toLowerCase().includes(words),
    ];
    for (const row of rows) row.hidden = !checks.every((check) => check(row));
    const shown = rows.filter((row) => !row.hidden).length;
    find("count").textContent = `${shown} of ${rows.length} rows shown`;
  }

  function widen(event) {
    // Who looks for something looks everywhere.
    if (!event.target.matches(".part")) find("part").value = "all";
    choose();
  }

  bar.addEventListener("input", (event) => {
    if (!event.target.closest(".order")) widen(event);
  });
  offerOrders(table, rows, bar.querySelector(".order select"));
  bar.hidden = false;
  choose();
}

function offerOrders(table, rows, select) {
  const heads = all(table, "th[data-key]");
  const state = { key: "rank", down: false };

  function apply(key, down) {
    Object.assign(state, { key, down });
    table.tBodies[0].append(...rows.sort(compare(key, down)));
    for (const head of heads) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    select.value = `${key} ${down}`;
  }

  for (const head of heads) {
    const key = head.dataset.key;
    const name = head.textContent.trim();
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => apply(key, state.key === key ? !state.down : DOWN_FIRST.has(key)));
    head.replaceChildren(button);
    select.append(make("option", { value: `${key} false` }, `${name}, rising`));
    select.append(make("option", { value: `${key} true` }, `${name}, falling`));
  }
  select.addEventListener("change", () => {
    const [key, down] = select.value.split(" ");
    apply(key, down === "true");
  });
  apply("rank", false);
}
