// Saving a panel as a drawing, and its data as a table.

const savers = new Map();

/** Text that a spreadsheet would take for a formula gets a quote before it; numbers get a plain minus. */
function field(value) {
  const text = String(value);
  const plain = text.replace(/^−/, "-");
  const isNumber = plain.trim() !== "" && Number.isFinite(Number(plain));
  const quoted = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  const safe = isNumber ? plain : quoted;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const csv = (lines) => lines.map((line) => `${line.map(field).join(",")}\n`).join("");
// What is typeset, as a formula is, also carries its text.
const words = (element) => (element.dataset.text ?? element.textContent).replace(/\s+/g, " ").trim();

function shownTable(panel) {
  const tables = all(panel, "tr").map((row) => [...row.cells].map(words));
  const lists = all(panel, "dl > div").map((pair) => [...pair.children].map(words));
  return csv([...lists, ...tables]);
}

function tableOf(panel) {
  if (savers.has(panel)) return savers.get(panel)();
  if (!panel.dataset.sheet) return shownTable(panel);
  return data(`${panel.closest("article").id}-sheets`)[panel.dataset.sheet];
}

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const saveText = (text, type, name) => save(new Blob([text], { type }), name);

async function savePng(panel, name) {
  const { text, width, height } = drawing(panel);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = make("canvas", { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(blob, name), "image/png");
}

function offerSaving(panel) {
  const name = panel.dataset.panel;
  const title = (panel.closest("section") ?? panel).querySelector("h1, h2, h3");
  const actions = {
    SVG: () => saveText(drawing(panel).text, "image/svg+xml", `${name}.svg`),
    PNG: () => savePng(panel, `${name}.png`),
    CSV: () => saveText(tableOf(panel), "text/csv", `${name}.csv`),
  };
  if (!panel.matches(".viewer, [data-sheet]") && !panel.querySelector("table, dl")) delete actions.CSV;
  const buttons = Object.entries(actions).map(([kind, act]) => {
    const label = `Save as ${kind}: ${words(title)}, ${name}`;
    const button = make("button", { type: "button", "aria-label": label }, kind);
    button.addEventListener("click", act);
    return button;
  });
  panel.append(make("div", { class: "tools" }, "Save as", ...buttons));
}
