import{k as o}from"./chunk-RGBZ2KXZ.js";var r=o(""),s=o("");function i(e,n=!1){let t=n?s:r;t.value="",queueMicrotask(()=>t.value=e)}export{r as a,s as b,i as c};
