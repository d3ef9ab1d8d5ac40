// A panel as a drawing: its texts, lines and pictures are put where the browser put them, in the light theme.

const NS = "http://www.w3.org/2000/svg";
const LEFT_OUT = ".unseen, script";
const DRAWN_AS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "text-anchor", "font-size", "font-weight", "font-family"];
const PADDING = 16;

function drawing(panel) {
  const root = document.documentElement;
  const theme = root.dataset.theme;
  root.dataset.theme = "light";
  root.classList.add("drawn"); // hides what cannot be used on paper, so that it leaves no gap
  try {
    return sheetOf(panel);
  } finally {
    root.classList.remove("drawn");
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  }
}

function sheetOf(panel) {
  const origin = panel.getBoundingClientRect();
  const svg = document.createElementNS(NS, "svg");
  const page = { svg, left: origin.left - PADDING, top: origin.top - PADDING, right: 0, bottom: 0 };
  put(page, "rect", { width: "100%", height: "100%", fill: getComputedStyle(document.body).backgroundColor });
  visit(page, panel);
  const [width, height] = [Math.ceil(page.right + PADDING), Math.ceil(page.bottom + PADDING)];
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) {
    svg.setAttribute(name, value);
  }
  return { text: new XMLSerializer().serializeToString(svg), width, height };
}

function put(page, tag, attributes, text) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  page.svg.append(element);
  return element;
}

function place(page, rect) {
  const found = { x: rect.left - page.left, y: rect.top - page.top, width: rect.width, height: rect.height };
  page.right = Math.max(page.right, found.x + found.width);
  page.bottom = Math.max(page.bottom, found.y + found.height);
  return found;
}

function visit(page, node) {
  if (node instanceof Text) return write(page, node);
  if (!(node instanceof Element) || node.matches(LEFT_OUT) || !node.checkVisibility()) return;
  if (node instanceof SVGSVGElement) return copy(page, node);
  if (node.matches("img, canvas")) return picture(page, node);
  ground(page, node);
  node.childNodes.forEach((child) => visit(page, child));
}

function picture(page, element) {
  const href = element instanceof HTMLCanvasElement ? element.toDataURL() : element.src;
  const shape = { ...place(page, element.getBoundingClientRect()), preserveAspectRatio: "none" };
  put(page, "image", { ...shape, href, "image-rendering": getComputedStyle(element).imageRendering });
}

/** What stands behind the text: ground, rule below, and the zero line of interval bars. */
function ground(page, element) {
  const style = getComputedStyle(element);
  const { x, y, width, height } = place(page, element.getBoundingClientRect());
  if (element.matches(".viewer")) return;
  if (!/, 0\)$|^transparent$/.test(style.backgroundColor)) {
    put(page, "rect", { x, y, width, height, rx: parseFloat(style.borderRadius) || 0, fill: style.backgroundColor });
  }
  if (parseFloat(style.borderBottomWidth) > 0) {
    const stroke = { stroke: style.borderBottomColor, "stroke-width": style.borderBottomWidth };
    put(page, "line", { x1: x, x2: x + width, y1: y + height, y2: y + height, ...stroke });
  }
  if (element.matches(".chart") && style.backgroundImage !== "none") {
    const zero = x + (width * parseFloat(style.getPropertyValue("--zero"))) / 100;
    put(page, "line", { x1: zero, x2: zero, y1: y, y2: y + height, stroke: "#888" });
  }
}

function copy(page, svg) {
  const twin = svg.cloneNode(true);
  const shape = place(page, svg.getBoundingClientRect());
  for (const [name, value] of Object.entries(shape)) twin.setAttribute(name, value);
  const pairs = [...svg.querySelectorAll("*")].map((one, i) => [one, twin.querySelectorAll("*")[i]]);
  for (const [from, to] of pairs) {
    const style = getComputedStyle(from);
    for (const name of DRAWN_AS) to.setAttribute(name, style.getPropertyValue(name));
    to.removeAttribute("class");
  }
  page.svg.append(twin);
}

/** Parts of a text that each lie on one line. */
function* pieces(text, from, to) {
  const range = document.createRange();
  range.setStart(text, from);
  range.setEnd(text, to);
  const rects = range.getClientRects();
  if (rects.length > 1 && to - from > 1) {
    const middle = Math.floor((from + to) / 2);
    yield* pieces(text, from, middle);
    yield* pieces(text, middle, to);
  } else if (rects.length && rects[0].width > 0) {
    yield { rect: rects[0], words: text.data.slice(from, to), from };
  }
}

function write(page, text) {
  if (!text.data.trim() || !text.parentElement) return;
  const style = getComputedStyle(text.parentElement);
  const look = { fill: style.color, "font-size": style.fontSize, "font-weight": style.fontWeight, "font-family": style.fontFamily };
  const lines = new Map();
  for (const match of text.data.matchAll(/\S+/g)) {
    for (const piece of pieces(text, match.index, match.index + match[0].length)) {
      const key = Math.round(piece.rect.top);
      if (!lines.has(key)) lines.set(key, []);
      lines.get(key).push(piece);
    }
  }
  for (const line of lines.values()) {
    const { x, y, height } = place(page, line[0].rect);
    line.forEach((piece) => place(page, piece.rect));
    // The baseline lies about four fifths down the box of a line.
    put(page, "text", { x, y: y + 0.81 * height, ...look }, joined(line));
  }
}

const joined = (line) =>
  line.reduce((said, { words, from }, i) => {
    const touches = i > 0 && line[i - 1].from + line[i - 1].words.length === from;
    return i === 0 ? words : `${said}${touches ? "" : " "}${words}`;
  }, "");
