try{let e=localStorage.getItem("skein.theme");(e==="light"||e==="dark")&&(document.documentElement.dataset.theme=e)}catch{}
