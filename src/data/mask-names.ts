/** How masks, and the folders of pictures and masks, are usually called. */

const pictureFolder = /^(images?|imgs?|jpeg_?images|pictures?|photos?)$/i;
const maskFolder =
  /^(masks?|labels?|annotations?|segmentations?|segmentation_?(class|masks?)|ground_?truths?|gt|trimaps?)$/i;
const suffix =
  /[-_. ](masks?|labels?|label_?map|label_?ids|label_?train_?ids|l|seg|segm|segmentations?|annotations?|anno|gt|ground_?truth|trimap)$/i;
const lossyName = /\.(jpe?g|jfif|avif)$/i;

/** Whether a folder is called as those of pictures are that have masks elsewhere. */
export function isPictureFolder(name: string): boolean {
  return pictureFolder.test(name);
}

/** Whether a folder is called as those of masks are. */
export function isMaskFolder(name: string): boolean {
  return maskFolder.test(name);
}

/**
 * The name of the picture that a mask of this name belongs to, both without ending; undefined where the name has nothing
 * behind it that says mask.
 */
export function nameWithoutSuffix(stem: string): string | undefined {
  return suffix.test(stem) ? stem.replace(suffix, "") : undefined;
}

/** Whether a picture's name does not say that its values have been changed by compression, as those of JPEG files. */
export function mayBeMask(name: string): boolean {
  return !lossyName.test(name);
}
