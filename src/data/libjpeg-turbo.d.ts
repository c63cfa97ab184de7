/** libjpeg-turbo compiled to WebAssembly; the package has no types of its own. */
declare module "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs" {
  /** Its arrays lie in the module's memory: they hold until the next call. */
  export interface JpegDecoder {
    /** Where the file's bytes go. */
    getEncodedBuffer(length: number): Uint8Array;
    /** @throws a number if the data is damaged, also where libjpeg would only warn */
    decode(): void;
    getDecodedBuffer(): Uint8ClampedArray;
    getFrameInfo(): { width: number; height: number; componentCount: number };
  }
  export default function load(settings: {
    print(text: string): void;
    printErr(text: string): void;
  }): Promise<{ JPEGDecoder: new () => JpegDecoder }>;
}
