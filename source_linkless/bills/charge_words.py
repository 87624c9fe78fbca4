"""What the texts of charges are made of: units, currencies, and the words of seven languages. Data only.

`charge_texts` reads these tables. To add a unit, a currency or a word, add it here; the reader itself has no words.
Spellings and phrases are regular expressions, matched against the text in lower case.
"""

# ruff: noqa: RUF001 - the look-alikes of x and apostrophe are what bills print

from __future__ import annotations

from dataclasses import dataclass

UNITS = {
    # unit as delivered: (spellings, base unit, power of ten of the base unit)
    "kWh": (r"kwhs?|kw[ .·-]?hrs?|kw[·-]h|kilo-?watt[ -]?hours?|kilowatt-?heures?|kilowattstunden?", "Wh", 3),
    "MWh": (r"mwhs?|mw[ .·-]?hrs?|mw[·-]h|megawatt[ -]?hours?|megawatt-?heures?|megawattstunden?", "Wh", 6),
    "GWh": (r"gwhs?|gigawatt[ -]?hours?", "Wh", 9),
    "kW": (r"kws?|kilowatts?", "W", 3),
    "MW": (r"mws?|megawatts?", "W", 6),
    "kVA": (r"kvas?", "VA", 3),
    "MVA": (r"mvas?", "VA", 6),
    "kVAh": (r"kvahs?", "VAh", 3),
    "kVArh": (r"kvar[ .-]?hrs?|kvarhs?|kvar[ -]?hours?|kvar-h|rkvahs?", "VArh", 3),
    "kVAr": (r"kvars?|rkvas?", "VAr", 3),
    "therms": (r"therms?|thms?", "therm", 0),
    "Dth": (r"dths?|de[ck]a-?therms?", "therm", 1),
    "MMBtu": (r"mm ?btus?", "Btu", 6),
    "MJ": (r"mjs?|megajoules?", "J", 6),
    "GJ": (r"gjs?|gigajoules?", "J", 9),
    "ton-hours": (r"ton[ -]?(?:hours?|hrs?)", "ton-hour", 0),
    "lb": (r"lbs?|pounds?(?= of steam| steam)", "lb", 0),
    "Mlb": (r"m ?lbs?|k ?lbs?|thousand (?:lbs?|pounds?)", "lb", 3),
    "kg": (r"kgs?|kilograms?", "kg", 0),
    "ft³": (r"cubic f(?:ee|oo)t|cu\.? ?ft\.?|ft³|ft\^?3|cf", "ft³", 0),
    "CCF": (r"ccfs?|hcfs?|hundred cubic feet", "ft³", 2),
    "MCF": (r"mcfs?|thousand cubic feet", "ft³", 3),
    "m³": (r"[ns]?m³|[ns]?m\^?3|s?mc|cbm|cubic met(?:er|re)s?|cu\.? ?m\.?|mètres? cubes?|kubikmeter", "litre", 3),
    "litres": (r"lit(?:re|er)s?|litros?|litri|l(?!['’])", "litre", 0),
    "kL": (r"kls?|kilolit(?:re|er)s?", "litre", 3),
    "gallons": (r"gal(?:lon)?s?", "gallon", 0),
    "kgal": (r"[kt][ -]?gals?|kilogallons?|thousand gal(?:lon)?s?", "gallon", 3),
}  # fmt: skip
DAYS = "days"
CAPACITIES = {"kW", "MW", "kVA", "MVA", "gallons", "litres"}
"""Units of sizes as much as of use: without a price, a word of use has to stand in the text."""
SMALL = {"kWh", "kVAh", "kVArh", "therms", "MJ", "lb", "kg", "ft³", "CCF", "m³", "litres", "gallons"}
"""Units of which one costs less than 1,000 in any currency that bills are printed in with decimals."""

MAJOR = (
    r"(?:us|ca|c|a|au|nz|r|s|sg|hk|mx)? ?\$|€|£|[¥₹₱฿₪₩]"
    r"|(?:usd|cad|aud|nzd|sgd|hkd|mxn|brl|eur|gbp|chf|sek|nok|dkk|pln|czk|huf|ron|inr|php|myr|zar|jpy|clp|cop|pen|ars"
    r"|dollars?|euros?|pounds?|francs?|franken|pesos?|reais|rm|rs|sfr\.?|fr\.)(?![^\W_])"
)
MINOR = (
    r"c€|€c|¢|(?:cents?|cts?|pence|centimes?|céntimos?|centavos?|centesimi|centesimos?|cêntimos?|rappen|euro-?cents?"
    r"|rp|p|c)\.?(?![^\W_])"
)
"""Hundredths of the currency. A price in them is below 1,000: larger ones are printed in the currency itself."""


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language.

    Words are divided by space; "_" is a space within a phrase, "*" any ending, "x?" an x that may be missing.
    """

    decimal: str
    """The decimal mark, as far as the language settles what 1,234 is; "" where both marks are in use."""
    known_by: str
    """Words that tell the language, beside those of the other rows that no other language has."""
    at: str
    """Between quantity and price; some also before a unit: "6 ¢ a kWh"."""
    per: str
    """Between a price and its unit, or a quantity and its time."""
    days: str
    longer: str
    """Months and other periods."""
    bounds: str
    """Beside a quantity that bounds a tier: "first 500 kWh"."""
    numbered: str
    """Before a number that is a name: "Tier 2", "Meter 12345"."""
    used: str
    """What was measured or billed; may stand on both sides of a quantity."""
    not_used: str
    """Anywhere in a text whose quantity is not what was used, unless the amount is charged for it."""
    readings: str
    """Like `not_used`, but not for a quantity behind "=" or a word of `used`."""

    def pattern(self, field: str) -> str:
        """Return the words of a field as one regular expression."""
        words = str(getattr(self, field)).split()
        return "|".join(word.replace("*", r"\w*").replace("_", " ") for word in words)


LANGUAGES = {
    "en": Language(
        decimal=".",
        known_by="""charge charges reading read usage used electricity electric energy supply delivery delivered
        water sewer natural billed on-peak off-peak the of for and adj adjustment generation generated distribution
        summer winter""",
        at="at a",
        per="per each",
        days="days?",
        longer="months? mos? years? yrs? weeks? hours?",
        bounds="""first next last over above under below than exceeding beyond additional excess_of up_to to until
        through thru between from every remaining 1st 2nd 3rd more less min max""",
        numbered="""tier step block level phase meter account acct no number nr rate schedule tariff class plan rider
        option type code service january february march april may june july august september october november
        december jan feb mar apr jun jul aug sept? oct nov dec""",
        used="""used usage use consumed consumption billed delivered supplied generated exported received imported
        energy electricity electric gas natural water sewer wastewater steam demand peak on off mid on-peak off-peak
        mid-peak of for during net total adjusted metered actual estimated diff difference propane oil fuel is""",
        not_used="""contract* subscribed installed nameplate connected reserved? nominated capacity rated allowances?
        allotments? allocat* baseline thresholds? limit* included? includes minimum average avg mean typical daily
        annual* yearly project* forecast* budget* last_year last_month last_bill last_period same_month same_period
        same_time compar* versus vs prior ago balance bank* carry* carried* rollover rolled accumulated cumulative
        to_date ytd remaining available unused bins? carts? containers? garbage trash refuse recycl* compost* waste
        dumpsters? toters? credits?_for credits?_of credits?_if credits?_on shares? blocks? tiers? steps? levels?
        rates? tariff* schedules? class plans? riders? lamps? lights? streetlights? battery batteries panels? sizes?
        sized heater tanks? losses loss factor multiplier goal target saved savings? avoided ratchet up_to or_more
        and_over maximum(?!_demand) free offset equivalent lease deposit appliance equipment base_load""",
        readings="readings? reads? previous prev current curr opening closing present index meter",
    ),
    "fr": Language(
        decimal=",",
        known_by="""énergie électricité électrique puissance facturée? heures creuses pleines prix de du des les pour
        fourniture eau taxe abonnement acheminement consommée? livraison jours? mois""",
        at="à a",
        per="par le la chaque",
        days="jours? j",
        longer="mois ans? années? semaines?",
        bounds="""premiers? premières? suivante?s? derniers? dernières? reste restante?s? plus_de moins_de jusqu'à
        jusque au-delà_de au-dessus excédant dépassant entre 1er 1re 2e 3e supplémentaires? à_partir_de""",
        numbered="""tranche palier bloc niveau compteur phase tarif option numéro n° no code poste janvier février
        mars avril mai juin juillet août septembre octobre novembre décembre""",
        used="""consommation consommée?s? facturée?s? électricité énergie gaz eau livrée?s? injectée?s? soutirée?s?
        appelée?s? puissance demande pointe totale? net nette réelle? estimée? réactive assainissement vapeur""",
        not_used="""souscrite?s? contractuel* contrat installée?s? réservée? raccordée? raccordement garantie?
        disponible moyenn?e?s? annuel* prévi* prévue?s? projections? précédente?s? même_mois même_période compar*
        an_dernière? année_dernière? mois_dernière? l'an solde banques? banque_d'énergie cumul* report* bacs?
        poubelles? ordures déchets conteneurs? part quote-part crédit_de crédit_pour tranches? blocs? paliers? seuil
        plafond franchise forfaits? inclus* minim* maximum gratuits? pertes? économi* jusqu'à lampes?""",
        readings="index relev* ancienne ancien nouveau nouvelle compteur",
    ),
    "de": Language(
        decimal=",",
        known_by="""verbrauch arbeitspreis leistungspreis strom energie wasser netznutzung einspeisung
        einspeisevergütung hochtarif niedertarif abwasser ihr der die das für und tage monate leistung umlage abgabe
        stromsteuer konzessionsabgabe lieferung""",
        at="à á zu a",
        per="pro je",
        days="tage?n?",
        longer="monate?n? jahre?n? mon wochen?",
        bounds="""ersten? erste[rs]? nächsten? weitere[nr]? über unter bis ab mehr_als weniger_als zwischen
        restliche[nr]? letzten?""",
        numbered="""stufe zone block zähler zählernummer tarif nr nummer phase konto vertrag klasse januar februar
        märz april mai juni juli august september oktober november dezember""",
        used="""verbrauch verbraucht verbrauchte? bezug bezogen geliefert lieferung strom energie gas wasser abwasser
        wirkarbeit blindarbeit arbeit leistung höchstlast höchstleistung spitzenlast differenz gesamt netto ht nt
        hochtarif niedertarif eingespeist einspeisung abgerechnet""",
        not_used="""vertrag* vereinbart* bestellt* installiert* anschluss* nenn* reserv* durchschnitt* mittel*
        jahres* jährlich* prognose* voraussichtlich* erwartet* vorjahr* vormonat* vorperiode vergleich* *guthaben
        saldo übertrag* konto* *tonnen? behälter *müll* *abfall* anteil* gutschrift_für staffel* stufen? block
        freimenge inklusiv* inkl* mindest* grenze bonus speicher verlust* einsparung bis_zu leuchten?""",
        readings="zählerst* *stand stände ablesung* abgelesen alt neu zähler",
    ),
    "es": Language(
        decimal="",
        known_by="""energía consumo potencia facturada consumida reactiva excedentes agua electricidad días? término
        peaje punta llano valle intermedio básico excedente los del por impuesto""",
        at="a por",
        per="por cada el la al",
        days="días? dias?",
        longer="meses mes años? semanas?",
        bounds="""primeros? primeras? primer siguientes? últimos? más_de menos_de hasta desde entre sobre resto
        restantes? superiores_a superior_a adicionales adicional""",
        numbered="tramo bloque escalón nivel contador medidor tarifa periodo período número n.º nº fase código",
        used="""consumo consumida?o?s? facturada?o?s? energía electricidad gas agua potencia demanda máxima demandada
        punta llano valle total neto real estimado vertida?o?s? inyectada?o?s? excedentes? reactiva diferencia
        alcantarillado activa""",
        not_used="""contratad* contrato instalad* reservad* disponible medi[ao]s? promedio anual* previst* previsi*
        proyec* anterior* mism[oa]_mes mism[oa]_per[ií]odo compar* año_pasado mes_pasado saldo bancos? acumulad*
        bolsa monedero contenedor* basuras? residuos parte cuota créditos?_por créditos?_de bloques? tramos?
        escal[oó]n* mínim* límite incluid* subsidi* bonificad* gratis pérdidas? ahorro luminarias? hasta""",
        readings="lecturas? actual inicial final contador medidor",
    ),
    "it": Language(
        decimal=",",
        known_by="""energia quota consumo consumi fatturata?o? acqua luce attiva reattiva bolletta giorni materia
        oneri spesa della per_il accisa imposta fascia""",
        at="a",
        per="per al ogni il",
        days="giorn[oi] gg",
        longer="mes[ei] ann[oi] settiman[ae]",
        bounds="prim[oiea] successiv[oiea] ultim[oiea] oltre fino_a sopra sotto tra da restanti più_di meno_di",
        numbered="scaglione fascia livello contatore tariffa numero n° fase codice blocco",
        used="""consumo consumi consumat[aoe] fatturat[aoei] energia elettricità gas acqua potenza_massima
        prelevat[aoe] immess[aoe] attiva reattiva totale netto reale stimat[aoe] differenza fognatura depurazione""",
        not_used="""contratt* impegnat* disponibil* installat* riservat* medi[ao] annu* previst* presunt* stima_annua
        precedent* confront* anno_scorso stesso_mese stesso_periodo saldo banca cumulat* bidon* rifiuti contenitor*
        quota_parte percentuale credit[oi]_per credit[oi]_di scaglion* blocco minim* soglia limite inclus* gratuit*
        perdit* risparmi* lampad* fino_a""",
        readings="lettur* attuale iniziale finale contatore",
    ),
    "nl": Language(
        decimal=",",
        known_by="""levering verbruik verbruikt normaal dal piek stroom elektriciteit energiebelasting dagen maanden
        teruglevering voor het een en van netbeheer water_en vastrecht terugleververgoeding""",
        at="à a tegen",
        per="per elke",
        days="dagen dag",
        longer="maanden maand jaar jaren week weken",
        bounds="eerste volgende laatste boven onder meer_dan minder_dan tot vanaf tussen resterende overige",
        numbered="schijf blok trede niveau meter tarief nummer nr fase klasse code",
        used="""verbruik verbruikt verbruikte geleverd geleverde levering teruglevering stroom elektriciteit gas
        water energie piek dal normaal laag hoog totaal netto gemeten gemeten_vermogen maximaal_vermogen verschil
        warmte""",
        not_used="""contract* gecontracteerd* geïnstalleerd* gereserveerd* aansluit* gemiddeld* jaarverbruik
        jaarlijks* standaard* verwacht* voorspel* prognose vorig* vergelijk* zelfde_maand zelfde_periode saldo tegoed
        opgebouwd bank container* afval* kliko aandeel krediet_voor korting_voor staffel* schijf blok minimum maximum
        drempel grens inbegrepen gratis verlie* besparing lampen? tot""",
        readings="meterstand* *stand standen oude? nieuwe? meter",
    ),
    "pt": Language(
        decimal=",",
        known_by="""consumo_ativo energia_elétrica elétrica água eletricidade potência faturada?o? ponta vazio cheias
        dias imposto tarifa_de bandeira esgoto injetada não fornecimento demanda""",
        at="a à por",
        per="por cada ao o",
        days="dias?",
        longer="m[eê]s meses anos? semanas?",
        bounds="primeir[oa]s? seguintes? últim[oa]s? acima_de abaixo_de até entre mais_de menos_de restantes?",
        numbered="escalão faixa bloco nível medidor contador tarifa número nº fase código posto",
        used="""consumo consumid[oa]s? faturad[oa]s? energia eletricidade gás gas água demanda medid[oa]s?
        injetad[oa]s? fornecid[oa]s? ponta vazio cheias total real estimado ativ[oa] reativ[oa] esgoto saneamento
        diferença""",
        not_used="""contratad* contrato instalad* reservad* disponib* médi[ao]s? anual* previst* proje[tc]* anterior*
        mesm[oa]_mês mesm[oa]_período compar* ano_passado mês_passado saldo bancos? acumulad* contentor* lixo
        resíduos lixeiras? parte quota cota créditos?_por créditos?_de blocos? escal* faixas? mínim* limite incluíd*
        inclus* franquia grátis perdas? poupança economia lâmpadas? até""",
        readings="leituras? atual inicial final contador medidor",
    ),
}
TIMES = r"[x×*·✕]"
