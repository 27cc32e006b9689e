/* The form under a chapter's parameters writes the command that reruns the page with its values. A value that the
   command would refuse is refused here in the same words: see check in notebooks/driver/parameters.py. */

(() => {
  function enhance(form) {
    const shown = form.nextElementSibling;
    const fields = [...form.elements];
    const first = new Map(fields.map((field) => [field, field.value]));

    function write() {
      let wrong = "";
      for (const field of fields) {
        const found = fault(field.value, field.dataset);
        field.setAttribute("aria-invalid", found !== "");
        if (found && !wrong)
          wrong =
            `${form.dataset.notebook} (command line): ${field.name}=${found};` +
            ` an example is ${field.name}=${field.dataset.default}`;
      }
      const changed = fields.filter((field) => field.value !== first.get(field));
      const values = changed.map((field) => ` ${field.name}=${quoted(field.value)}`);
      form.querySelector(".wrong").textContent = wrong;
      shown.hidden = wrong !== "";
      shown.querySelector("pre").textContent = form.dataset.command + values.join("");
    }

    form.addEventListener("input", write);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    write();
  }

  /* A value as a shell reads it. */
  function quoted(text) {
    return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
  }

  /* What is wrong with a value, after how Python would write it; "" if nothing is. */
  function fault(text, { type, range }) {
    const value = type === "str" ? { kind: "str", text } : read(text);
    if (!conforms(value, type)) return `${repr(value)} is not of type ${type}`;
    if (range && value.items?.length === 0) return `${repr(value)} is empty`;
    return within(value, range, type) ? "" : `${repr(value)} is outside ${range}`;
  }

  function conforms(value, type) {
    const [, list, item] = type.match(/^(list|tuple)(?:\[(.*?)(?:,.*)?\])?$/) ?? [];
    if (list) return value.kind === "list" && value.items.every((each) => !item || conforms(each, item));
    return value.kind === type || (type === "float" && value.kind === "int");
  }

  function within(value, range, type) {
    if (!range) return true;
    if (value.items) return value.items.every((each) => within(each, range, type.replace(/^\w+\[|,.*|\]$/g, "")));
    const inside = range.slice(1, -1).split(",");
    if (range[0] === "{") {
      const text = type === "float" ? float(Number(value.text)) : value.text;
      return inside.some((each) => each.trim() === text);
    }
    const [low, high] = inside.map((end) => Number(end.trim().replace("inf", "Infinity")));
    const number = Number(value.text);
    return (low < number && number < high) || (number === low && range[0] === "[") || (number === high && range.at(-1) === "]");
  }

  /* A literal of Python, or else one of YAML, as on the command line. */
  function read(text) {
    text = text.trim();
    const open = text[0];
    if ((open === "[" && text.endsWith("]")) || (open === "(" && text.endsWith(")"))) {
      const items = parts(text.slice(1, -1)).map(read);
      return { kind: "list", open, items };
    }
    if (/^('[^']*'|"[^"]*")$/.test(text)) return { kind: "str", text: text.slice(1, -1) };
    if (/^[+-]?\d+(_\d+)*$/.test(text)) {
      const digits = text.replace(/[_+]/g, "");
      return { kind: "int", text: `${digits[0] === "-" ? -BigInt(digits.slice(1)) : BigInt(digits)}` };
    }
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return { kind: "float", text: float(Number(text)) };
    if (/^(true|yes|on)$/i.test(text)) return { kind: "bool", text: "True" };
    if (/^(false|no|off)$/i.test(text)) return { kind: "bool", text: "False" };
    if (/^(none|null|~|)$/i.test(text) && text !== "none") return { kind: "none", text: "None" };
    return { kind: "str", text };
  }

  /* The texts between the commas of a list, but for those within quotes and brackets. */
  function parts(text) {
    const found = text.match(/(?:'[^']*'|"[^"]*"|\[[^\]]*\]|\([^)]*\)|[^,'"[(])+/g) ?? [];
    return found.map((part) => part.trim()).filter((part) => part);
  }

  function repr({ kind, open, items, text }) {
    if (kind === "list") {
      const inside = items.map(repr).join(", ");
      return open === "(" ? `(${inside}${items.length === 1 ? "," : ""})` : `[${inside}]`;
    }
    if (kind !== "str") return text;
    const escaped = text.replaceAll("\\", "\\\\");
    if (!text.includes("'")) return `'${escaped}'`;
    return text.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
  }

  /* A number with a point or an exponent, as Python writes it. */
  function float(number) {
    const size = Math.abs(number);
    if (size !== 0 && (size < 1e-4 || size >= 1e16))
      return number.toExponential().replace(/e(.)(\d)$/, (_, sign, digit) => `e${sign}0${digit}`);
    return Number.isInteger(number) ? `${number}.0` : `${number}`;
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const form of document.querySelectorAll("details.rerun form")) enhance(form);
  });
})();
