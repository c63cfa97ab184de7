/**
 * ONNX Runtime's library for Linux and macOS sends what it is used for to its maker, and leaves files in the user's home
 * and temporary folder, unless this variable forbids it before the library is loaded. Who sets it keeps what they set.
 * A worker thread has a copy of the variables, which the library does not see: it counts what the main thread has set.
 */
process.env.ORT_DISABLE_TELEMETRY ??= "1";
