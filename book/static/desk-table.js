/* The desk's tables: text with separators to labels and scores, as crcen/reading.py reads files.
 *
 * What cannot be read is an error whose message says what is wrong and what to do. */

const DeskTable = (() => {
  "use strict";

  const SEPARATORS = [",", ";", "\t", "|"];
  const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  const COMMA_NUMBER = /^\s*[+-]?\d+,\d+\s*$/;

  const quoted = (text) => `'${text}'`;
  const ofRows = (n) => (n === 1 ? "1 row" : `${n} rows`);

  /* The text of a file: UTF-8, UTF-16 with its mark, or else as old spreadsheets have it. */
  function decode(bytes) {
    const marked = { "255,254": "utf-16le", "254,255": "utf-16be" };
    const encoding = marked[new Uint8Array(bytes).slice(0, 2).join()];
    if (encoding) return new TextDecoder(encoding).decode(bytes);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return new TextDecoder("windows-1252").decode(bytes);
    }
  }

  /* The fields of each line that is not blank; quotes may hold separators, ends of lines and "". */
  function split(text, separator) {
    if (!text.includes('"')) {
      return text.split(/\r\n?|\n/).filter((line) => line.trim()).map((line) => line.split(separator));
    }
    const sign = `\\${separator}`;
    const field = new RegExp(
      `(?:"([^"]*(?:""[^"]*)*)"|([^${sign}\\r\\n]*))(${sign}|\\r\\n?|\\n|$)`, "y",
    );
    const rows = [];
    let row = [];
    while (field.lastIndex < text.length) {
      const [, inside, plain, end] = field.exec(text);
      row.push(inside === undefined ? plain : inside.replaceAll('""', '"'));
      if (end === separator) continue;
      rows.push(row);
      row = [];
    }
    if (row.length) rows.push([...row, ""]); // the text ends with a separator
    return rows.filter((fields) => fields.length > 1 || fields[0].trim());
  }

  /* The separator that divides the first lines alike. */
  function separatorOf(text) {
    const head = text.split(/\r\n?|\n/, 10).join("\n");
    const parts = SEPARATORS.map((separator) => {
      const counts = split(head, separator).map((row) => row.length);
      const alike = counts.length > 0 && counts[0] > 1 && new Set(counts).size === 1;
      return [separator, alike, counts[0] || 0];
    });
    parts.sort((a, b) => b[1] - a[1] || b[2] - a[2]); // stable: commas first
    return parts[0][0];
  }

  /* Names, rows of fields, and whether numbers have a decimal comma. */
  function read(text) {
    text = text.replace(/^\uFEFF/, "");
    if (text.includes("\0")) {
      throw new Error("This is no text but a file of another kind: save the table as CSV.");
    }
    const stated = /^sep=(.)\r?\n/i.exec(text); // Excel's first line
    if (stated) text = text.slice(stated[0].length);
    const separator = stated ? stated[1] : separatorOf(text);
    const [names, ...rows] = split(text, separator);
    if (!rows.length) {
      throw new Error(
        "There are no rows here: give a first line with the names of the columns, and a line for each row.",
      );
    }
    if (names.every((name) => NUMBER.test(name.trim()))) {
      throw new Error("The first line holds numbers: put a line with the names of the columns above it.");
    }
    const twice = names.find((name, k) => names.indexOf(name) < k);
    if (twice !== undefined) {
      throw new Error(`The column ${quoted(twice)} is there more than once: rename or drop one.`);
    }
    const odd = rows.findIndex((row) => row.length !== names.length);
    if (odd >= 0) {
      throw new Error(
        `Row ${odd + 1} has ${rows[odd].length} fields where the first line names ${names.length} ` +
          "columns: put what holds a separator in double quotes.",
      );
    }
    const comma =
      separator !== "," && rows.slice(0, 19).some((row) => row.some((f) => COMMA_NUMBER.test(f)));
    return { names, rows, comma };
  }

  function column({ names, rows }, name) {
    const at = names.indexOf(name);
    return rows.map((row) => row[at].trim());
  }

  function toNumber(text, comma) {
    const plain = comma ? text.replace(",", ".") : text;
    return NUMBER.test(plain) ? Number(plain) : NaN;
  }

  /* A column of finite numbers. */
  function numbers(table, name) {
    const texts = column(table, name);
    const values = Float64Array.from(texts, (text) => toNumber(text, table.comma));
    const wrong = values.findIndex((v) => !Number.isFinite(v));
    if (wrong >= 0) {
      throw new Error(
        `The score ${quoted(name)} holds ${quoted(texts[wrong])} in row ${wrong + 1}, which is no ` +
          "number: leave out such rows, or choose another column.",
      );
    }
    return values;
  }

  /* The label of each row, and how often each is there, the most frequent first. */
  function kinds(table, name) {
    let texts = column(table, name);
    const missing = texts.filter((text) => !text).length;
    if (missing) {
      throw new Error(`The label ${quoted(name)} is missing in ${ofRows(missing)}: leave them out.`);
    }
    const whole = (text) => NUMBER.test(text) && Number.isSafeInteger(Number(text));
    if ([...new Set(texts)].every(whole)) texts = texts.map((text) => String(Number(text) + 0)); // "1.0" is "1"
    const found = new Map();
    for (const text of texts) found.set(text, (found.get(text) || 0) + 1);
    return { texts, counts: new Map([...found].sort((a, b) => b[1] - a[1])) };
  }

  /* Ones where the label is the minority's: the one that is named, or the rarer of two. */
  function labels({ texts, counts }, name, positive = "") {
    const present = [...counts.keys()];
    const some = present.slice(0, 8).map((label) => `${quoted(label)} (${ofRows(counts.get(label))})`);
    const shown = some.join(", ") + (present.length > 8 ? ` and ${present.length - 8} more` : "");
    if (present.length < 2) {
      throw new Error(`The label ${quoted(name)} is ${shown} throughout: add rows of another.`);
    }
    const tied = counts.get(present[0]) === counts.get(present[1]);
    if (!positive && (present.length > 2 || tied)) {
      throw new Error(`The label ${quoted(name)} has ${shown}: choose which of them is to be found.`);
    }
    const wanted = positive || present[1];
    const others = present.filter((label) => label !== wanted);
    const rest = others.length < 4 ? others.join(" or ") : `any of ${others.length} others`;
    return { y: Uint8Array.from(texts, (text) => text === wanted), positive: wanted, rest };
  }

  /* The columns that look like score and label: numbers that are not whole, and two texts. */
  function guess(table) {
    const { names, rows, comma } = table;
    const all = names.map((_, k) => k);
    const fits = (k, test) => rows.every((row) => test(toNumber(row[k].trim(), comma)));
    const numeric = all.filter((k) => fits(k, (v) => !Number.isNaN(v)));
    const fractions = numeric.find((k) => !fits(k, Number.isInteger));
    const score = fractions ?? numeric.at(-1) ?? all.at(-1);
    const others = all.filter((k) => k !== score);
    const label = others.find((k) => new Set(column(table, names[k])).size === 2) ?? others[0] ?? 0;
    return { label: names[label], score: names[score] };
  }

  return { decode, read, numbers, kinds, labels, guess };
})();
