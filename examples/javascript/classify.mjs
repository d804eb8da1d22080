// Classify images with a routed pair in JavaScript: npm install onnxruntime-node && node classify.mjs export image.rgb
// An image is the bytes of its RGB pixels, row by row, in the size that the pair takes, as by
// ffmpeg -i photo.jpg -vf scale=32:32 -pix_fmt rgb24 -f rawvideo image.rgb
import { readFileSync } from "node:fs";
import ort from "onnxruntime-node";

const [folder, ...files] = process.argv.slice(2);
const policy = JSON.parse(readFileSync(`${folder}/policy.json`, "utf8"));
const tau = Number(String(policy.tau).replace("inf", "Infinity"));
const session = await ort.InferenceSession.create(`${folder}/dynamic.onnx`);
const side = policy.image_size;
const area = side * side;

for (const file of files) {
  const rgb = readFileSync(file);
  const planes = Float32Array.from({ length: 3 * area }, (_, i) => rgb[3 * (i % area) + Math.floor(i / area)] / 255);
  const { logits, score, is_little } = await session.run({
    images: new ort.Tensor("float32", planes, [1, 3, side, side]),
    tau: new ort.Tensor("float32", Float32Array.of(tau), []), // fed in every call, so it may change at any time
  });
  const label = logits.data.indexOf(Math.max(...logits.data));
  console.log(label, is_little.data[0] ? "little" : "big", score.data[0], policy.class_names[label] ?? "");
}
