// Run a routed pair in a runtime for JavaScript: node probe.mjs RUNTIME CASE, from a folder where it is installed.
// See probe.py, which does the same in Python. RUNTIME: onnxruntime-node or onnxruntime-web (its wasm build).
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [runtime, folder] = process.argv.slice(2);
const { shape, calls } = JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
const bytes = readFileSync(join(folder, "images.bin"));
const pixels = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const size = shape[1] * shape[2] * shape[3];
const target = join(folder, `${runtime}.json`);
const out = { version: "?", answers: [] };
const write = (more) => writeFileSync(target, JSON.stringify({ ...out, ...more }));
const plain = (tensor) => Array.from(tensor.data, Number);

try {
  const require = createRequire(join(process.cwd(), "package.json"));
  const root = join(process.cwd(), "node_modules", runtime);
  out.version = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
  const ort = runtime === "onnxruntime-web"
    ? await import(pathToFileURL(join(root, "dist", "ort.wasm.min.mjs")))
    : require("onnxruntime-node");
  if (runtime === "onnxruntime-web") ort.env.wasm.numThreads = 1;
  const model = new Uint8Array(readFileSync(join(folder, "dynamic.onnx")));
  const session = await ort.InferenceSession.create(model);
  for (const [count, tau] of calls) {
    write({ error: `the process ended at N = ${count}, tau = ${tau}` });
    const value = { inf: Infinity, "-inf": -Infinity }[tau] ?? Number(tau);
    const found = await session.run({
      images: new ort.Tensor("float32", pixels.slice(0, count * size), [count, ...shape.slice(1)]),
      tau: new ort.Tensor("float32", Float32Array.of(value), []),
    });
    const each = [found.logits, found.score, found.is_little];
    out.answers.push({ shapes: each.map((one) => one.dims), values: each.map(plain) });
  }
  write({});
} catch (error) {
  write({ error: String(error) });
}
process.exit(0);
