// IMITATION of https://link.deck.co/link-initialize.js, for tests and trials: the same interface, nothing of its code.
// Known of the original (the provider's public sample applications): Deck.create({token, source_id?, onSuccess, onExit})
// and .open() / .exit() of what it returns. That it shows a frame of its own origin is our assumption.
"use strict";
(() => {
  const origin = new URL(document.currentScript.src).origin;

  window.Deck = {
    create({ token, source_id, onSuccess, onExit }) {
      let frame = null;

      const close = () => {
        window.removeEventListener("message", hear);
        frame?.remove();
        frame = null;
      };
      const hear = (event) => {
        if (event.origin !== origin || event.source !== frame?.contentWindow) return;
        if (event.data.type === "ready") frame.contentWindow.postMessage({ token, source_id }, origin);
        if (event.data.type === "success") {
          close();
          onSuccess({ public_token: event.data.public_token });
        }
        if (event.data.type === "exit") {
          close();
          onExit();
        }
      };
      return {
        open() {
          frame = document.createElement("iframe");
          frame.title = "Imitation of the provider's form";
          frame.src = `${origin}/link-widget`;
          Object.assign(frame.style, {
            position: "fixed", inset: "0", margin: "auto", width: "min(26rem, 100vw)", height: "min(36rem, 100vh)",
            border: "1px solid #767676", borderRadius: "8px", background: "#fff", colorScheme: "light",
          });
          window.addEventListener("message", hear);
          document.body.append(frame);
        },
        exit: close,
      };
    },
  };
})();
