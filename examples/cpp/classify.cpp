// Classify images with a routed pair in C++: ./classify export/dynamic.onnx image.rgb
// g++ -std=c++17 classify.cpp -I/usr/include/onnxruntime -lonnxruntime -o classify
// An image is the bytes of its RGB pixels, row by row, in the size that the pair takes, as by
// ffmpeg -i photo.jpg -vf scale=32:32 -pix_fmt rgb24 -f rawvideo image.rgb
#include <onnxruntime_cxx_api.h>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

int main(int count, char** given) {
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR);
  Ort::Session session(env, given[1], Ort::SessionOptions{});
  Ort::AllocatorWithDefaultOptions memory;
  float tau = std::stof(session.GetModelMetadata().LookupCustomMetadataMapAllocated("tau", memory).get());
  auto shape = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();  // N, 3, H, W
  const size_t area = shape[2] * shape[3];
  shape[0] = 1;
  for (int i = 2; i < count; ++i) {
    std::ifstream file(given[i], std::ios::binary);
    const std::vector<char> rgb{std::istreambuf_iterator<char>(file), {}};
    std::vector<float> planes(3 * area);
    for (size_t p = 0; p < planes.size(); ++p) planes[p] = uint8_t(rgb.at(3 * (p % area) + p / area)) / 255.0f;
    const Ort::Value inputs[] = {
        Ort::Value::CreateTensor(memory.GetInfo(), planes.data(), planes.size(), shape.data(), shape.size()),
        Ort::Value::CreateTensor(memory.GetInfo(), &tau, 1, nullptr, 0)};  // in every call: it may change
    const char *entering[] = {"images", "tau"}, *leaving[] = {"logits", "score", "is_little"};
    auto found = session.Run(Ort::RunOptions{}, entering, inputs, 2, leaving, 3);
    const float* logits = found[0].GetTensorData<float>();
    const auto classes = found[0].GetTensorTypeAndShapeInfo().GetElementCount();
    std::cout << std::max_element(logits, logits + classes) - logits << ' '
              << (found[2].GetTensorData<bool>()[0] ? "little " : "big ") << found[1].GetTensorData<float>()[0] << '\n';
  }
}
