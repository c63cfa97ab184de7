/** How masks, and the folders of pictures and masks, are usually called. */

const pictureFolder = /^(images?|imgs?|jpeg_?images|pictures?|photos?|left_?img_?8_?bit)$/i;
const maskFolder =
  /^(gt_?(fine|coarse)|masks?|labels?|annotations?|segmentations?|segmentation_?(class|masks?)|ground_?truths?|gt|trimaps?)$/i;
const maskWords = "masks?|labels?|seg|segm|segmentations?|annotations?|anno|gt|ground_?truth|trimap";
const maskWord = wordAtAnEnd(maskWords, `${maskWords}|l|label_?map|(?:gt_?(?:fine|coarse)_)?label_?(?:train_?)?ids`);
const pictureWord = wordAtAnEnd(
  "images?|imgs?|pictures?|photos?",
  "images?|imgs?|pictures?|photos?|sat|left_?img_?8_?bit",
);
/** Cityscapes has each annotation as classes, in colour, and by instances, beside each other. */
const [classesDrawn, otherwiseDrawn] = ["label_?(?:train_?)?ids", "color|instance_?(?:train_?)?ids"].map(
  (words) => new RegExp(`[-_. ]gt_?(?:fine|coarse)_(?:${words})\\.[^./]+$`, "i"),
);
const lossyName = /\.(jpe?g|jfif|avif)$/i;

/** Whether a folder is called as those of pictures are that have masks elsewhere. */
export function isPictureFolder(name: string): boolean {
  return pictureFolder.test(name);
}

/** Whether a folder is called as those of masks are. */
export function isMaskFolder(name: string): boolean {
  return maskFolder.test(name);
}

/** Whether a column of pictures is called as those of masks are: annotation, label_map, segmentation_mask. */
export function isMaskColumn(name: string): boolean {
  return isMaskFolder(name) || /^(seg|segm|label_?map)$/i.test(name) || withoutMaskWord(name) !== undefined;
}

/** What is left of a mask's path without ending, where its name has a word for masks in front or behind: "1" of "1_mask" and "mask1". */
export function withoutMaskWord(stem: string): string | undefined {
  return withoutWord(stem, maskWord);
}

/** Likewise of a picture's: "1" of "image_1". */
export function withoutPictureWord(stem: string): string | undefined {
  return withoutWord(stem, pictureWord);
}

/** The files of masks, but those that draw the same otherwise, in colour or by instances, where some draw classes. */
export function withoutOtherDrawings(files: readonly string[]): readonly string[] {
  return files.some((file) => classesDrawn.test(file)) ? files.filter((file) => !otherwiseDrawn.test(file)) : files;
}

/** Whether a picture's name does not say that its values have been changed by compression, as those of JPEG files. */
export function mayBeMask(name: string): boolean {
  return !lossyName.test(name);
}

/** Finds a word at the front of a path's last part, in front of a digit too, or behind it. */
function wordAtAnEnd(front: string, behind: string): RegExp {
  return new RegExp(`(?<=^|/)(?:${front})(?:[-_. ]+|(?=\\d))(?=[^/]+$)|[-_. ](?:${behind})$`, "i");
}

function withoutWord(stem: string, word: RegExp): string | undefined {
  return word.test(stem) ? stem.replace(word, "") : undefined;
}
