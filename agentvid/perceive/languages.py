"""Languages as containers and file names write them, brought to one form: "eng" -> "en", "pt_br" -> "pt-BR"."""

from __future__ import annotations

import re

# ISO 639-1 codes with their ISO 639-2 codes (bibliographic and terminological), as "two:three[,three]".
_ISO_639 = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bi:bis bm:bam
bn:ben bo:bod,tib br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces,cze cu:chu cv:chv cy:cym,wel da:dan de:deu,ger
dv:div dz:dzo ee:ewe el:ell,gre en:eng eo:epo es:spa et:est eu:eus,baq fa:fas,per ff:ful fi:fin fj:fij fo:fao fr:fra,fre
fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye,arm hz:her
ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl,ice it:ita iu:iku ja:jpn jv:jav ka:kat,geo kg:kon ki:kik kj:kua
kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao
lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri,mao mk:mkd,mac ml:mal mn:mon mr:mar ms:msa,may mt:mlt my:mya,bur na:nau nb:nob
nd:nde ne:nep ng:ndo nl:nld,dut nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli
pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron,rum ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk,slo
sl:slv sm:smo sn:sna so:som sq:sqi,alb sr:srp ss:ssw st:sot su:sun sv:swe sw:swa ta:tam te:tel tg:tgk th:tha ti:tir
tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln
wo:wol xh:xho yi:yid yo:yor za:zha zh:zho,chi zu:zul
"""
# Three-letter languages without a short code that subtitles are often written in.
_ONLY_THREE = "ase ast ceb cmn csb fil fro gsw haw hsb mai mis mul nds pap scn sco sgn syr tok und yue zxx"


def _codes() -> dict[str, str]:
    codes = {code: code for code in _ONLY_THREE.split()}
    for entry in _ISO_639.split():
        short, _, long_codes = entry.partition(":")
        codes |= dict.fromkeys([short, *long_codes.split(",")], short)
    return codes


_CODES = _codes()
_TAG = re.compile(r"([A-Za-z]{2,3})((?:[-_][A-Za-z0-9]{1,16})*)")
#: Tags that say that nothing is known.
_UNKNOWN = {"und", "mis", "mul", "zxx"}
#: What downloaders add to a language: "en-orig" is what was said, "en-auto" what a machine heard.
_NOT_SCRIPTS = {"orig", "auto"}


def language_tag(text: str) -> str | None:
    """`text` as a BCP 47 tag of language, script and region; "" for "unknown" tags, None if it is not a language.

    "eng" -> "en", "pt_br" -> "pt-BR", "zh-hans" -> "zh-Hans", "und" -> "", "part2" -> None.
    """
    match = _TAG.fullmatch(text.strip())
    if match is None or (code := _CODES.get(match[1].lower())) is None:
        return None
    if code in _UNKNOWN:
        return ""
    parts = [code]
    for part in re.split("[-_]", match[2])[1:]:
        if len(part) == 4 and part.isalpha() and part.lower() not in _NOT_SCRIPTS:
            parts.append(part.title())
        elif len(part) == 2 and part.isalpha():
            parts.append(part.upper())
        elif re.fullmatch(r"\d{3}", part):
            parts.append(part)
    return "-".join(parts)


def is_wanted(language: str, wanted: tuple[str, ...]) -> bool:
    """Whether text in `language` passes the filter `wanted`: empty lets all pass, "en" also lets "en-US" pass.

    Text of unknown language ("") always passes: nothing says that it is not the wanted one.
    """
    if not wanted or not language:
        return True
    tags = [language_tag(tag) or tag for tag in wanted]
    return any(language == tag or language.startswith(f"{tag}-") for tag in tags)
