import type { RefusalKind } from "../../protocol.js";

/** 서버가 거절하는 것의 한국어 문구. 명령 자체의 오류는 명령이 쓰는 영어 그대로이다. */
export const koRefusals: Readonly<Record<RefusalKind, string>> = {
  "path-elsewhere":
    "{where}: {roots} 안의 경로여야 하는데, 다른 곳이거나 거기에 아무것도 없습니다. 그 안에서 고르거나, 다른 폴더나 --files로 실험실을 다시 시작하십시오.",
  "no-entry": "{where}: 실험실 폴더에 그런 실행이나 비교 실험이 없습니다. 페이지를 새로 고치십시오.",
  "still-runs": "{where}: 지금 실행 중입니다. 먼저 멈추십시오.",
  "started-elsewhere":
    "{where}: 다른 곳에서 시작한 실행입니다. 시작한 곳에서 제어하십시오(Ctrl-C로 멈추고, --resume으로 이어집니다).",
  "upload-name": "{where}: 파일 이름으로 쓸 수 없습니다. 이름을 바꾸십시오.",
  "upload-size": "{where}: 4 GiB보다 큰 파일입니다. 경로로 고르십시오.",
  "upload-taken": "{where}: 같은 이름의 다른 파일이 있습니다. 이름을 바꾸십시오.",
};
